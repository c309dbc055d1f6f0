"""Write the pages that repeat the code; with ``--check``, only tell which are out of step."""  # noqa: INP001 - a script

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from api.openapi import OPENAPI, PATHS, SCHEMAS
from packhouse import cli
from settings import CONFIG_FILE, FIELDS, Field
from warehouse.dictionary import dictionary_of_schema
from warehouse.expectations import Expectation, load_expectations

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

What is expected of a publication is changed there too, one table for each expectation; [expectations.md](expectations.md) lists them:

```toml
[expectations.stars_held]
bound = 0.3

[expectations.gone_share]
is_off = true
```

Durations are a whole number and one of `s`, `m`, `h`, `d`, `w`.
Addresses of services begin with `https://`; `http://` is taken for this machine only (`localhost`, `127.0.0.0/8`, `[::1]`).
Relative paths start in the folder packhouse is started in; `~` is the home folder.
"""


def _setting(field: Field) -> str:
    default = "not set" if field.default is None else f"`{field.default}`"
    name = f"`{field.name}`" + (" (environment only)" if field.is_secret else "")
    return f"| {name} | `{field.variable}` | {default} | {field.meaning} |"


def expectations_page() -> str:
    """Every expectation of a publication with its default, what it counts and why."""
    expectations = load_expectations()
    return f"""{GENERATED}# What is expected of a publication

Before a publication becomes the current one it is held against these expectations.
Each counts what is amiss among what it judges, and is not met when that is more than its bound and at least as many
as the next column says: in a small catalog one package is a large share.
The run report, the artifact in Prefect and `manifest.json` name what is not met with its numbers and ten examples,
the old value beside the new.

An expectation is changed in `{CONFIG_FILE}`; `packhouse status` shows those that are:

```toml
[expectations.stars_held]
bound = 0.3        # the share that may be amiss, from 0 to 1
fewest = 10        # so many must be amiss at least

[expectations.gone_share]
is_off = true      # not measured at all
```

## Those that refuse

The publication is not published, the exit code is 3, and `current` stays where it was.
[operations.md](operations.md#the-checks-refused) says what to do.

{_expectation_table(e for e in expectations if e.stops)}
## Those that warn

It is published; the values concerned are as they were, with their dates and states, or unknown.

{_expectation_table(e for e in expectations if not e.stops)}
Those marked * need a publication to compare with; the first one passes them.
What belongs to a repository is judged once for each repository, however many packages live in it,
and its counts only where they were observed anew or are others than in the last publication.
The SQL of each is in `warehouse/expectations.toml`.
"""


def _expectation_table(expectations: Iterable[Expectation]) -> str:
    rows = "".join(f"| {_expectation(each)} |\n" for each in expectations)
    return f"| expectation | at most | from | what is amiss | why |\n| --- | --- | --- | --- | --- |\n{rows}"


def _expectation(each: Expectation) -> str:
    mark = "\\*" if each.compares else ""
    return f"`{each.name}`{mark} | {each.bound:.0%} | {each.fewest} | {each.amiss} | {each.why}"


def addresses_page() -> str:
    """Every address of the API with its parameters and answers, and the keys of each answer."""
    addresses = "\n".join(_address(path, item["get"]) for path, item in PATHS.items())
    answers = "\n".join(_answer(name, schema) for name, schema in SCHEMAS.items() if "properties" in schema)
    return f"""{GENERATED}# The addresses of the API

The description that `packhouse serve` gives at `{OPENAPI}` (OpenAPI 3.1), for people. What the answers mean is in [api.md](api.md).

{addresses}
# Answers

Every key is always there; a key that may be null says so.

{answers}"""


def _address(path: str, told: Mapping[str, Any]) -> str:
    parameters = "".join(f"| `{each['name']}` | {each['in']} | {each['description']} |\n" for each in told.get("parameters", ()))
    table = f"| parameter | in | meaning |\n| --- | --- | --- |\n{parameters}\n" if parameters else ""
    return f"## `{path}`\n\n{told['summary']}.\n\n{table}Answers: {', '.join(map(_status, told['responses'].items()))}.\n"


def _status(response: tuple[str, Mapping[str, Any]]) -> str:
    status, answer = response
    reference = next((content.get("schema", {}).get("$ref") for content in answer.get("content", {}).values()), None)
    name = reference.rpartition("/")[2] if reference else None
    return f"{status} [{name}](#{name.lower()})" if name and name != "FoundList" and "properties" in SCHEMAS[name] else status


def _answer(name: str, schema: Mapping[str, Any]) -> str:
    rows = "".join(f"| `{key}` | {_kind(each)} | {each.get('description', '')} |\n" for key, each in schema["properties"].items())
    return f"## {name}\n\n{schema['description']}\n\n| key | type | meaning |\n| --- | --- | --- |\n{rows}"


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "type" not in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    of = f" of {_kind(schema['items'])}" if "items" in schema else ""
    return " or ".join(schema.get("format", kind) if kind == "string" else kind for kind in kinds) + of


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
    "expectations.md": expectations_page,
    "cli.md": cli_page,
    "addresses.md": addresses_page,
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
