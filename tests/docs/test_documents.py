"""The documents speak of what is there: commands, options, settings, exit codes, links, files."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from packhouse import cli
from settings import FIELDS
from tests.conftest import ROOT
from transforms.states import GONE_AFTER, GONE_AFTER_SIGHTINGS
from warehouse.publication import KEEP

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def _pages() -> list[Path]:
    names = ["ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.md"]
    listed = subprocess.run(["git", *names], cwd=ROOT, capture_output=True, check=True, text=True)
    return [ROOT / name for name in sorted(filter(None, listed.stdout.split("\0"))) if (ROOT / name).is_file()]


PAGES = _pages()
ALL = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _commands(inner, (*path, name))
    else:
        yield path, command


COMMANDS = dict(_commands(cli))


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _lines_shown(page: Path) -> list[str]:
    """Every command line of packhouse in a fenced block or in backticks, without what the shell does with its output."""
    text = page.read_text(encoding="utf-8")
    fenced = [line for language, block in FENCE.findall(text) if language in ("", "sh", "bash") for line in block.splitlines()]
    inline = re.findall(r"`(packhouse [^`]+)`", _prose(page))
    lines = []
    for line in [*fenced, *inline]:
        found = re.search(r"(?:^|\s|/)(packhouse [a-z-].*)$", line)
        if found and not found.group(1).startswith("packhouse --type"):
            lines.append(re.split(r"\s(?:2?>>?|\||#)\s?", found.group(1))[0].strip())
    return lines


def _parse(line: str) -> None:
    """Let click read a command line without running it; raises click's UsageError when it would refuse it."""
    words = shlex.split(line)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="packhouse")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        inner = command.get_command(context, name)
        if inner is None:
            raise click.UsageError(f"no such command: {name}")
        command, context = inner, click.Context(inner, parent=context, info_name=name)
    if words:  # without any a command is only named
        command.make_context("packhouse", words, parent=context)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_is_on_its_page_and_in_words(path: tuple[str, ...]) -> None:
    """A command has its section with every option that is shown, and some page that a person wrote speaks of it."""
    name = " ".join(("packhouse", *path))
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {name}\n", 1)[1].split("\n## ")[0]
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert max(parameter.opts, key=len) in section
    written = [p for p in PAGES if p.name not in ("cli.md", "CHANGELOG.md")]
    assert any(name in p.read_text(encoding="utf-8") for p in written), f"{name} stands only on the generated page"


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_setting_is_in_the_docs(field: object) -> None:
    """A setting's variable stands on its page."""
    assert f"`{field.variable}`" in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_every_setting_named_exists() -> None:
    """No page names a variable that nothing reads."""
    known = {field.variable for field in FIELDS} | {"PACKHOUSE_CHECKOUT"}  # the latter is prefect.yaml's
    assert set(re.findall(r"\bPACKHOUSE_[A-Z_]+\b", ALL)) <= known
    assert "PACKHOUSE_CHECKOUT" in (ROOT / "prefect.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file of the repository, and its fragment a heading there."""
    for target in LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = unquote(target).partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert not fragment or fragment in _anchors(file), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_line_shown_is_one(page: Path) -> None:
    """Click accepts every packhouse command line that a page shows."""
    for line in _lines_shown(page):
        if "…" in line or "COMMAND" in line:
            continue
        try:
            _parse(line)
        except click.exceptions.Exit:  # --help and --version
            continue
        except click.ClickException as error:
            pytest.fail(f"{page.name}: {line}: {error.format_message()}")


def test_the_readme_shows_what_it_must() -> None:
    """The first two commands stand on lines of their own, command lines are found at all, and it is short enough to be read."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    blocks = [block for _language, block in FENCE.findall(text)]
    assert "make demo\n" in blocks
    assert "make test\n" in blocks
    assert len(_lines_shown(readme)) >= 8
    assert len(text.splitlines()) <= 200


def test_figures_that_stand_in_the_code_are_the_same_there() -> None:
    """Numbers the documents repeat are those in force."""
    words = {2: "two", 3: "three"}
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"{words[GONE_AFTER_SIGHTINGS]} runs over at least {words[GONE_AFTER.days]} days" in architecture
    assert f"The newest {words[KEEP]} are kept" in architecture
    default = next(field.default for field in FIELDS if field.name == "max_age")
    assert default == "20h"
    assert "(20 hours)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_test_a_page_names_exists() -> None:
    """A defence is shown by a test that is there."""
    named = {
        (page.name, *found) for page in PAGES for found in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    for page, path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{page} names {path}::{name}"
