"""The command line as a person meets it: help, exit codes, one clear message for each mistake, nothing half done."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from packhouse import cli
from sandbox.faults import Fault, Mishap
from sandbox.server import running
from tests.conftest import NOW, ROOT, Bench, prompt_world
from warehouse.folder import DataFolder

SAMPLE = (ROOT / "tests" / "golden" / "v4-package-1776-indented.json").read_bytes()
HEAVY = ("prefect", "pandas", "pyarrow", "duckdb", "httpx", "starlette", "uvicorn", "rich")


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One harvested data folder that the reading commands share."""
    with running(prompt_world(), clock=lambda: NOW) as services:
        bench = Bench(data=tmp_path_factory.mktemp("cli") / "data", services=services)
        bench.harvest()
        yield bench


def packhouse(bench: Bench, *arguments: str, stdin: str = "", **extra: str) -> subprocess.CompletedProcess[bytes]:
    """Run one command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "packhouse", *arguments],
        cwd=ROOT,
        env={**bench.variables(), **extra},
        input=stdin.encode(),
        capture_output=True,
        timeout=100,
        check=False,
    )


def explained(done: subprocess.CompletedProcess[bytes], code: int, *words: str) -> None:
    """The command ended with this code and said why, without a traceback."""
    err = done.stderr.decode()
    assert done.returncode == code, err
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_help_imports_nothing_heavy() -> None:
    """``packhouse --help`` answers at once because no room is imported for it."""
    program = (
        "import sys, packhouse; from click.testing import CliRunner; "
        "assert CliRunner().invoke(packhouse.cli, ['--help']).exit_code == 0; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_help_with_an_example(name: str) -> None:
    """Help says what a command does and shows how it is written."""
    command = cli.commands[name]
    text = command.help or ""
    assert text
    assert "Example" in text or name == "catalog"


def test_show_prints_the_sample(harvested: Bench) -> None:
    """By slug and by id, indented as the sample; compact as the API sends it."""
    assert packhouse(harvested, "show", "django-scheduler").stdout.rstrip(b"\n") == SAMPLE.rstrip(b"\n")
    assert packhouse(harvested, "show", "1776").stdout.rstrip(b"\n") == SAMPLE.rstrip(b"\n")
    compact = packhouse(harvested, "show", "1776", "--compact").stdout
    assert json.loads(compact) == json.loads(SAMPLE)
    assert b": " not in compact.split(b"repo_description")[0]


def test_show_suggests_what_may_be_meant(harvested: Bench) -> None:
    """A slip of the pen is answered with near names."""
    explained(packhouse(harvested, "show", "djano-scheduler"), 1, "djano-scheduler", "Did you mean django-scheduler")
    explained(packhouse(harvested, "show", "9" * 30), 1, "no package")


def test_sql_in_every_shape(harvested: Bench, tmp_path: Path) -> None:
    """One query as table, CSV, JSON and Parquet, numbers and nulls intact."""
    query = "select slug, stars_count, grids, pushed_at from packages where id = 1776"
    assert b"1331" in packhouse(harvested, "sql", query).stdout
    assert packhouse(harvested, "sql", "--format", "csv", query).stdout.startswith(
        b'"slug","stars_count","grids","pushed_at"\n"django-scheduler",1331,'
    )
    row = json.loads(packhouse(harvested, "sql", "--format", "json", query).stdout)[0]
    assert row["stars_count"] == 1331
    assert isinstance(row["grids"], list)
    target = tmp_path / "rows.parquet"
    done = packhouse(harvested, "sql", "--format", "parquet", "--output", str(target), query)
    assert done.returncode == 0
    assert pq.read_table(target).to_pylist()[0]["stars_count"] == 1331
    assert packhouse(harvested, "sql", "--format", "json", "from packages limit 0").stdout == b"[]\n"
    assert b"(0 rows)" in packhouse(harvested, "sql", "from packages limit 0").stdout


def test_the_prompt_goes_on_after_a_mistake(harvested: Bench) -> None:
    """Statements end with a semicolon and may span lines; a wrong one is explained and the next answered."""
    done = packhouse(harvested, "sql", stdin="select count(*)\nfrom packages;\nnonsense;\nselect 42;\n.quit\n")
    assert done.returncode == 0
    assert b"25" in done.stdout
    assert b"42" in done.stdout
    assert b"nonsense" in done.stderr


@pytest.mark.parametrize(
    "query",
    [
        "selec 1",
        "drop table packages",
        "update packages set stars_count = 0",
        "select * from read_csv('/etc/passwd')",
        "select * from 'data.parquet'",
        "copy packages to 'x.csv'",
        "attach 'x.db'",
        "install httpfs",
        "set enable_external_access = true",
        "select 1; drop table packages",
        "",
        "pragma database_list",
        "select getenv('GITHUB_TOKEN')",
    ],
)
def test_sql_is_a_locked_room(harvested: Bench, query: str) -> None:
    """Nothing but reading the published tables: no writes, no files, no network, no settings."""
    done = packhouse(harvested, "sql", query)
    explained(done, 1)
    assert done.stdout == b""
    assert harvested.package("django-scheduler")["stars_count"] == 1331


def test_a_failed_query_leaves_the_output_file_as_it_was(harvested: Bench, tmp_path: Path) -> None:
    """What was there is kept when a query fails, also half way."""
    target = tmp_path / "rows.csv"
    target.write_text("precious")
    done = packhouse(
        harvested,
        "sql",
        "--format",
        "csv",
        "--output",
        str(target),
        "select cast(case when i = 900000 then 'x' else '1' end as int) from range(1000000) t(i)",
    )
    explained(done, 1)
    assert target.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [target]


def test_status_shows_settings_without_the_token(harvested: Bench) -> None:
    """Values in force, where each came from, freshness; never the token."""
    done = packhouse(harvested, "status")
    text = done.stdout.decode()
    assert "PACKHOUSE_DATA" in text
    assert "set (not shown)" in text
    assert (harvested.token or "") not in text + done.stderr.decode()
    state = json.loads(packhouse(harvested, "status", "--json").stdout)
    assert state["publication"]["packages"] == 25
    assert state["states"]["repo_state"] == {"ok": 24, "unsupported": 1}
    assert done.returncode == 3, "by the clock of today the sample is months old"
    assert packhouse(harvested, "status", PACKHOUSE_MAX_AGE="2000w").returncode == 0


def test_catalog_check_tells_every_mistake_and_nothing_is_harvested(harvested: Bench, tmp_path: Path) -> None:
    """Ten mistakes, ten lines with file, line and column; exit 2; a harvest with it asks nothing."""
    broken = tmp_path / "catalog"
    shutil.copytree(ROOT / "catalog", broken)
    packages = (broken / "packages.csv").read_text().splitlines()
    packages += [
        "1776,Twice,twice,apps,https://github.com/a/b,,,2020-01-01,2020-01-01",
        "9001,Slug,two words,apps,https://github.com/a/b,,,2020-01-01,2020-01-01",
        "9002,Category,nowhere,nonsense,https://github.com/a/b,,,2020-01-01,2020-01-01",
        "9003,Date,date,apps,https://github.com/a/b,,,yesterday,2020-01-01",
        "9004,Repo,repo,apps,ftp://github.com/a/b,,,2020-01-01,2020-01-01",
        "9005,Pypi,pypi,apps,https://github.com/a/b,https://pypi.org/search/?q=x,,2020-01-01,2020-01-01",
        "x,Number,number,apps,https://github.com/a/b,,,2020-01-01,2020-01-01",
        "9006,Again,django-scheduler,apps,https://github.com/a/b,,,2020-01-01,2020-01-01",
        "9007,Cells,cells,apps",
    ]
    (broken / "packages.csv").write_text("\n".join(packages) + "\n")
    with (broken / "grid_packages.csv").open("a") as grid_packages:
        grid_packages.write("calendar,unheard-of\n")
    asked = len(harvested.asked())
    done = packhouse(harvested, "catalog", "check", "--catalog", str(broken))
    explained(done, 2, "unheard-of", "two words", "nonsense", "yesterday", "ftp://")
    assert done.stderr.decode().count("packages.csv") >= 9
    explained(packhouse(harvested, "harvest", "--engine", "none", "--catalog", str(broken)), 2, "two words")
    assert len(harvested.asked()) == asked
    assert packhouse(harvested, "catalog", "check").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "extra", "words"),
    [
        (["harvest", "--max-age", "5x"], {}, ["--max-age", "20h"]),
        (["harvest", "--budget", "-1"], {}, ["--budget"]),
        (["harvest", "no-such-package"], {}, ["no-such-package"]),
        (["publish", "--accept", " "], {}, ["--accept"]),
        (["backfill", "--since", "2030-01-02", "--until", "2030-01-01"], {}, ["is after --until", "is in the future", "nothing was asked"]),
        (["backfill"], {}, ["--since"]),
        (["plan", "no-such-package"], {}, ["no-such-package"]),
        (
            ["status"],
            {"PACKHOUSE_TIME_ZONE": "Mars/Crater", "PACKHOUSE_CONCURRENCY": "0"},
            ["PACKHOUSE_TIME_ZONE", "PACKHOUSE_CONCURRENCY"],
        ),
        (["status"], {"GITHUB_TOKEN": "two words"}, ["GITHUB_TOKEN"]),
        (["catalog", "check"], {"PACKHOUSE_CATALOG": "/nonexistent"}, ["/nonexistent"]),
        (["nonsense"], {}, ["nonsense"]),
        (["sql", "--format", "xml", "from packages"], {}, ["xml"]),
    ],
)
def test_wrong_usage_is_exit_2(harvested: Bench, arguments: list[str], extra: dict[str, str], words: list[str]) -> None:
    """Wrong arguments and settings are explained, all at once, and nothing is done."""
    explained(packhouse(harvested, *arguments, **extra), 2, *words)


def test_a_folder_that_cannot_be_written_is_explained(bench: Bench, tmp_path: Path) -> None:
    """Reading and harvesting on a hopeless data folder: one message, exit 1."""
    (tmp_path / "file").write_text("not a folder")
    for arguments in (["harvest", "--engine", "none"], ["harvest"], ["replay", "--engine", "none"]):
        done = packhouse(bench, *arguments, "--data", str(tmp_path / "file" / "data"))
        explained(done, 1, str(tmp_path / "file"))
    explained(packhouse(bench, "sql", "--data", str(tmp_path / "empty"), "from packages"), 1, "packhouse harvest")
    explained(packhouse(bench, "serve", "--data", str(tmp_path / "empty"), "--port", "0"), 1, "packhouse harvest")
    assert packhouse(bench, "status", "--data", str(tmp_path / "empty")).returncode == 3
    assert not (tmp_path / "empty").exists(), "reading makes no folder"


def test_export_writes_what_show_prints(harvested: Bench, tmp_path: Path) -> None:
    """The exported record is the one that is shown; without an address for the links it is wrong usage, and nothing is written."""
    target = tmp_path / "sites" / "public"
    done = packhouse(harvested, "export", "--static", str(target), PACKHOUSE_BASE_URL="")
    explained(done, 2, "--base-url")
    assert not target.parent.exists()
    done = packhouse(harvested, "export", "--static", str(target), "--base-url", "https://djangopackages.org")
    explained(done, 0)
    shown = packhouse(harvested, "show", "--compact", "django-scheduler").stdout
    assert (target / "api" / "v4" / "packages" / "1776" / "index.json").read_bytes() + b"\n" == shown
    explained(packhouse(harvested, "export", "--static", str(tmp_path), "--base-url", "https://a.example"), 1, "no export of packhouse")


def test_a_prefect_server_out_of_reach_is_explained(bench: Bench) -> None:
    """A configured server that does not answer is said at once, with what to do; nothing is asked."""
    done = packhouse(bench, "harvest", "django-scheduler", PREFECT_API_URL="http://127.0.0.1:9/api")
    explained(done, 1, "PREFECT_API_URL", "--engine none")
    assert bench.asked() == []


def test_a_busy_folder_is_explained(bench: Bench) -> None:
    """A second harvest at once ends with exit 1 and names the process that works there."""
    with DataFolder(bench.data).lock():
        explained(packhouse(bench, "harvest", "--engine", "none"), 1, "busy", "process")


def test_a_full_disk_loses_nothing(bench: Bench) -> None:
    """A disk that fills up while landing (here: a limit on file size): one message, exit 1, the publication intact."""
    bench.harvest("django-scheduler")
    bench.now = datetime(2026, 2, 17, tzinfo=UTC)
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000));"
        "sys.argv = ['packhouse', 'harvest', '--engine', 'none', '--full']; import packhouse; packhouse.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=bench.variables(), capture_output=True, timeout=100, check=False)
    explained(done, 1, "file too large")
    assert bench.package("django-scheduler")["stars_count"] == 1331
    assert packhouse(bench, "harvest", "--engine", "none", "--full").returncode in (0, 3)


def test_a_harvest_of_nothing_but_mishaps_says_so(bench: Bench) -> None:
    """Every answer garbage: the run ends, exit 3, findings say what came, nothing good is lost."""
    bench.harvest("django-scheduler")
    bench.services.faults.add(Fault(mishap=Mishap.HTML))
    done = packhouse(bench, "harvest", "django-scheduler", "--engine", "none", "--full")
    explained(done, 3)
    assert b"not JSON" in done.stdout
    assert bench.package("django-scheduler")["stars_count"] == 1331


@pytest.mark.parametrize("columns", [40, 110])
def test_a_terminal_shows_a_bar_with_rate_budget_and_time_to_go(bench: Bench, columns: int) -> None:
    """On a terminal, narrow or wide, stderr carries a moving bar, and the results still go to stdout."""
    bench.services.faults.latency_ms = 60
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environ = {**bench.variables(), "TERM": "xterm", "PACKHOUSE_CONCURRENCY": "8"}
    command = [sys.executable, "-m", "packhouse", "harvest", "--engine", "none"]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=side)
    os.close(side)
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:
        pass  # the other side was closed: the process has ended
    out, _err = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0, shown.decode()
    assert b"Traceback" not in shown
    assert b"asking" in shown
    assert b"Published" in out
    if columns > 100:
        assert b"/s" in shown
        assert b"left" in shown


def test_publish_takes_an_edited_catalog_and_keeps_what_is_refused(bench: Bench, tmp_path: Path) -> None:
    """A catalog cut by half is refused with exit 3 until a reason is given, which then stands in the run's row."""
    bench.harvest()
    smaller = tmp_path / "catalog"
    shutil.copytree(ROOT / "catalog", smaller)
    lines = (smaller / "packages.csv").read_text().splitlines(keepends=True)
    (smaller / "packages.csv").write_text("".join([lines[0], *[line for line in lines[1:] if line.startswith("1776,")]]))
    members = (smaller / "grid_packages.csv").read_text().splitlines(keepends=True)
    (smaller / "grid_packages.csv").write_text("".join([members[0], *[line for line in members if ",django-scheduler" in line]]))
    refused = packhouse(bench, "publish", "--catalog", str(smaller))
    assert refused.returncode == 3, refused.stderr
    assert b"packages_kept" in refused.stdout
    assert b"--accept" in refused.stdout
    assert bench.rows("select count(*) as n from packages") == [{"n": 25}]
    accepted = packhouse(bench, "publish", "--catalog", str(smaller), "--accept", "a test of scissors")
    assert accepted.returncode == 0, accepted.stderr
    assert bench.rows("select count(*) as n from packages") == [{"n": 1}]
    assert bench.rows("select outcome, detail, accepted_reason from runs") == [
        {"outcome": "done", "detail": None, "accepted_reason": "a test of scissors"}
    ]
    manifest = json.loads((bench.data / "current" / "manifest.json").read_text())
    assert manifest["accepted_reason"] == "a test of scissors"
    assert [check["name"] for check in manifest["checks"] if not check["is_met"]] == ["packages_kept"]
    replayed = packhouse(bench, "replay", "--engine", "none", "--catalog", str(smaller))
    assert replayed.returncode == 0, replayed.stderr
    assert bench.rows("select accepted_reason from runs") == [{"accepted_reason": "a test of scissors"}]


@pytest.mark.parametrize("reason", ["", "  ", "...", "\n"])
def test_a_reason_has_words(harvested: Bench, reason: str) -> None:
    """An empty reason is wrong usage, and nothing is published."""
    explained(packhouse(harvested, "publish", "--accept", reason), 2, "--accept", "say why, in words")


def test_a_tuned_expectation_counts_and_is_shown(bench: Bench, tmp_path: Path) -> None:
    """``packhouse.toml`` in the folder of the command decides what is refused; ``packhouse status`` shows it; a mistake in it is told."""
    bench.harvest()
    smaller = tmp_path / "catalog"
    shutil.copytree(ROOT / "catalog", smaller)
    lines = (smaller / "packages.csv").read_text().splitlines(keepends=True)
    kept = [line for line in lines[1:] if line.startswith("1776,")]
    (smaller / "packages.csv").write_text("".join([lines[0], *kept]))
    (smaller / "grid_packages.csv").write_text("grid,package\n")

    def run(*arguments: str, config: str) -> subprocess.CompletedProcess[bytes]:
        (tmp_path / "packhouse.toml").write_text(config)
        command = [sys.executable, str(ROOT / "packhouse.py"), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=bench.variables(), capture_output=True, timeout=100, check=False)

    explained(run("publish", config="[expectations.packages_kept]\nbound = 3\n"), 2, "packhouse.toml: expectations.packages_kept.bound")
    assert run("publish", "--catalog", str(smaller), config="").returncode == 3
    tuned = "[expectations.packages_kept]\nbound = 0.99\n\n[expectations.stale_share]\nis_off = true\n"
    status = run("status", config=tuned)
    assert b"packages_kept              99.0%, 5 (default 10.0%, 5)" in status.stdout
    assert b"packhouse.toml: expectations.stale_share" in status.stdout
    assert run("publish", "--catalog", str(smaller), config=tuned).returncode == 0
    assert bench.rows("select count(*) as n from packages") == [{"n": 1}]


def test_completion_scripts_are_printed(harvested: Bench) -> None:
    """Each supported shell gets its script."""
    for shell in ("bash", "zsh", "fish"):
        assert b"_PACKHOUSE_COMPLETE" in packhouse(harvested, "completion", shell).stdout


def test_the_past_is_shown_and_compared(harvested: Bench) -> None:
    """A record as of a time, by slug or id; before the first publication there is none, and nonsense is told."""
    for name in ("django-scheduler", "1776"):
        assert packhouse(harvested, "show", name, "--as-of", "2026-02-16").stdout == SAMPLE + b"\n"
    explained(
        packhouse(harvested, "show", "django-scheduler", "--as-of", "2026-02-15T22:00"), 1, "No package 'django-scheduler' was published"
    )
    explained(packhouse(harvested, "show", "django-scheduler", "--as-of", "last week"), 2, "'last week' is no time", "2026-02-15T22:00")
    done = packhouse(harvested, "diff", "2026-02-16", "2026-02-17", "--format", "json")
    assert json.loads(done.stdout) == []
    done = packhouse(harvested, "diff", "2026-02-01", "2026-02-17", "--format", "json")
    assert {row["change"] for row in json.loads(done.stdout)} == {"added"}
    explained(
        packhouse(harvested, "diff", "20260101T000000Z-0001", "2026-02-17"), 1, "no run that was published is named so", "from publications"
    )
    explained(packhouse(harvested, "publish", "--as-of", "2020-01-01"), 1, "nothing was published", "from publications")


def test_a_backup_goes_there_and_back(harvested: Bench, tmp_path: Path) -> None:
    """Backup, verify, restore, and the doctor's word on it: exit codes and what is said, without a traceback."""
    to, other = str(tmp_path / "to"), str(tmp_path / "other")
    made = json.loads(packhouse(harvested, "backup", to, "--verify", "--json").stdout)
    assert made["is_verified"]
    assert made["copied_count"] == made["files_count"]
    assert packhouse(harvested, "restore", to, "--data", other).returncode == 0
    explained(packhouse(harvested, "restore", to, "--data", other), 1, "is not empty", "--force")
    store = Path(made["path"]) / "data" / "store" / "store.duckdb"
    store.chmod(0o644)
    store.write_bytes(b"rotten")
    explained(packhouse(harvested, "restore", to, "--verify"), 1, "store/store.duckdb has other bytes", "Nothing was changed")
    explained(packhouse(harvested, "restore", other), 1, "is no backup of packhouse")
    explained(packhouse(harvested, "backup", to, "--wait", "soon"), 2, "--wait")
    done = packhouse(harvested, "doctor", "--offline", "--data", other, "--json")
    found = {row["name"]: row["level"] for row in json.loads(done.stdout)}
    assert (found["ledger"], found["publication"], found["contact"]) == ("ok", "ok", "warning")
    assert done.returncode == 3
