"""The house keeps its own rules: sizes, names, docstrings, purity, and nothing tracked that belongs to one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("api", "extractors", "flows", "sandbox", "transforms", "warehouse", "benchmarks")
MODULES = sorted([ROOT / "packhouse.py", ROOT / "settings.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))])
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
# A module may be longer only with a reason.
LONGER: dict[str, str] = {
    "transforms/schemas.py": "one table of columns after another; nothing to split",
    "settings.py": "one setting after another; each is a few lines",
    "packhouse.py": "one command after another; each is a few lines",
}


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_small_and_named_for_what_it_holds(path: Path) -> None:
    """A module has at most 400 lines, functions of at most 60, a docstring, and a name that is a noun."""
    name = str(path.relative_to(ROOT))
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE or name in LONGER
    assert ast.get_docstring(ast.parse(path.read_text())), f"{name} does not say what belongs in it"
    assert not re.search(r"(^|_)(utils|helpers|common|base|manager|misc)$|\d$", path.stem), f"{name} names no thing"
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in _functions(path)
        if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert not long, f"{name}: {', '.join(long)}"


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_says_what_it_proves(path: Path) -> None:
    """A test file has tests, each with a sentence, and none patches what we own."""
    tests = [node for node in _functions(path) if node.name.startswith("test_")]
    assert tests, f"{path} has no test"
    silent = [node.name for node in tests if not ast.get_docstring(node)]
    assert not silent, f"{path}: {', '.join(silent)}"
    assert "mock" + ".patch" not in path.read_text()
    assert "unittest" + ".mock" not in path.read_text()


@pytest.mark.parametrize("room", ["transforms"])
def test_transforms_know_no_clock_and_no_files(room: str) -> None:
    """What a transform says depends on its arguments alone."""
    forbidden = re.compile(r"\b(datetime\.now|date\.today|time\.time|os\.environ|open\(|Path\(|random\.|read_text|write_text|urlopen)")
    for path in (ROOT / room).glob("*.py"):
        code = "\n".join(line.split("#")[0] for line in path.read_text().splitlines())
        assert not forbidden.search(code), f"{path}: {forbidden.search(code)}"


def test_one_module_owns_the_network() -> None:
    """Only the client imports httpx."""
    importers = {path for path in MODULES if re.search(r"^\s*(import|from) httpx", path.read_text(), re.MULTILINE)}
    assert importers == {ROOT / "extractors" / "client.py"}


def test_settings_are_read_at_the_entry_only() -> None:
    """The environment is read by the entry points and the engine, nowhere else."""
    decorated = {"flows/harvest.py", "flows/backfill.py", "flows/replay.py", "flows/compact.py"}
    allowed = {"packhouse.py", "flows/engine.py", "flows/embedded_server.py", "sandbox/__main__.py"} | decorated
    readers = {str(path.relative_to(ROOT)) for path in MODULES if "os.environ" in path.read_text() and "benchmarks" not in path.parts}
    assert readers <= allowed


def test_nothing_tracked_belongs_to_one_machine() -> None:
    """No tracked file has a download address, a path of one machine or a token; PyPI's address stands once, as a default."""
    download = re.compile("files" + r"\.pythonhosted|registry" + r"\.npmjs|deb" + r"\.debian|pypi\.org/" + "simple")
    machine = re.compile(r"(^|[^A-Za-z0-9_.])/(work|farm|root)" + "/")
    token = re.compile("gh[pousr]_[A-Za-z0-9]{36}|github_pat" + "_[A-Za-z0-9_]{40}")
    for path in _tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        for name, pattern in (("a download address", download), ("a path of one machine", machine), ("a token", token)):
            found = pattern.search(text)
            assert not found, f"{path.relative_to(ROOT)} has {name}: {found.group() if found else ''}"
    code = [path for path in MODULES if "https://pypi" + ".org" in path.read_text().replace("https://pypi.org/project", "")]
    assert code == [ROOT / "settings.py"]


def test_every_lint_exception_has_a_reason() -> None:
    """An ignore without a reason is a rule nobody decided about."""
    for path in MODULES:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if "# noqa" in line:
                assert re.search(r"# noqa: [A-Z0-9, ]+( - \S|.*#)|# noqa: PLC0415$|# noqa: F401, PLC0415$", line), (
                    f"{path}:{number}: {line.strip()}"
                )
            assert "# type: ignore\n" not in line + "\n", f"{path}:{number}"
    for line in (ROOT / "pyproject.toml").read_text().splitlines():
        if re.match(r'\s+"[A-Z]+[0-9]*",', line):
            assert "#" in line, line


def test_lock_files_name_the_pinned_versions() -> None:
    """Every pinned dependency stands in both locks, with hashes, and the pair that keeps Prefect alive is below its limits."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        lock = (ROOT / name).read_text()
        pinned = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock, re.MULTILINE))
        for package, version in re.findall(
            r'^    "([a-z0-9.-]+)==([^";]+)[";]', (ROOT / "pyproject.toml").read_text().split("[project.optional")[0], re.MULTILINE
        ):
            assert pinned[package.replace(".", "-")] == version
        assert tuple(map(int, pinned["fastapi"].split(".")[:2])) < (0, 151)
        assert tuple(map(int, pinned["sqlalchemy"].split(".")[:2])) < (2, 1)
        assert lock.count("--hash=sha256:") > len(pinned)
        assert "http" + "s://" not in lock
