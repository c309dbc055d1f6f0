"""Write the pages that repeat the code; with ``--check``, only tell which are out of step."""  # noqa: INP001 - a script

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from packhouse import cli
from settings import CONFIG_FILE, FIELDS, Field
from warehouse.dictionary import dictionary_of_schema

DOCS = Path(__file__).resolve().parent
GENERATED = "<!-- Written by docs/build.py; run `make docs` after a change of the code. -->\n\n"
HELP_WIDTH = 100  # fixed, so that the page does not depend on anyone's terminal


def settings_page() -> str:
    """Every setting with its flag, variable, key and default."""
    rows = "\n".join(_setting(field) for field in FIELDS)
    return f"""{GENERATED}# Settings

A setting is taken from the first of these that has it: a flag, the environment, `{CONFIG_FILE}`, the default.
The file is looked for in the folder packhouse is started in.
An empty value counts as unset. All unusable values are reported at once, with where each came from.
`packhouse status` shows the values in force.

A token is taken from the environment alone: flags stand in process lists, files in backups.
It is sent to the address of `github_api_url` and to no other, and never printed.

| setting | variable | default | meaning |
| --- | --- | --- | --- |
{rows}

The flag of a setting is its name with hyphens (`--max-age`), on the commands that use it.
The key in `{CONFIG_FILE}` is its name:

```toml
catalog = "../our-catalog"
max_age = "12h"
concurrency = 8
```

Durations are a whole number and one of `s`, `m`, `h`, `d`, `w`.
Addresses of services begin with `https://`; `http://` is taken for this machine only (`localhost`, `127.0.0.0/8`, `[::1]`).
Relative paths start in the folder packhouse is started in; `~` is the home folder.
"""


def _setting(field: Field) -> str:
    default = "not set" if field.default is None else f"`{field.default}`"
    name = f"`{field.name}`" + (" (environment only)" if field.is_secret else "")
    return f"| {name} | `{field.variable}` | {default} | {field.meaning} |"


def cli_page() -> str:
    """The help of every command, as ``packhouse COMMAND --help`` prints it."""
    parts = [
        f"{GENERATED}# The command line\n",
        "Results go to stdout, everything else to stderr. Every command answers `--help` (`-h`).\n",
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 finished but something is stale or was refused publication.",
        "[operations.md](operations.md#exit-codes) says what to do about each; all settings are in [settings.md](settings.md).\n",
    ]
    parts += [f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n" for context in _commands(cli, None, "packhouse")]
    return "\n".join(parts)


def _commands(command: click.Command, parent: click.Context | None, name: str) -> Iterator[click.Context]:
    """A command and all below it, each in a context whose help has one fixed width."""
    context = click.Context(command, parent=parent, info_name=name, terminal_width=HELP_WIDTH, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for below, inner in sorted(command.commands.items()):
            yield from _commands(inner, context, below)


# File below docs/ -> what makes its text.
PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "data-dictionary.md": dictionary_of_schema,
}


def main(arguments: list[str], folder: Path = DOCS) -> int:
    """Write every page, or with ``--check`` compare; the number returned is the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: docs/build.py [--check]\n")
        return 2
    stale = [name for name, page in PAGES.items() if _read(folder / name) != page()]
    for name in stale if arguments else ():
        sys.stderr.write(f"docs/{name} is out of step with the code: run `make docs` and commit it\n")
    for name in () if arguments else stale:
        (folder / name).write_text(PAGES[name](), encoding="utf-8")
    return 1 if arguments and stale else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
