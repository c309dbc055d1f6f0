"""Write the pages that repeat the code; with ``--check``, only tell which are out of step."""  # noqa: INP001 - a script

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from settings import CONFIG_FILE, FIELDS, Field

DOCS = Path(__file__).resolve().parent
GENERATED = "<!-- Written by docs/build.py; run `make docs` after a change of the code. -->\n\n"


def settings_page() -> str:
    """Every setting with its flag, variable, key and default."""
    rows = "\n".join(_setting(field) for field in FIELDS)
    return f"""# Settings

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


# File below docs/ -> what makes its text.
PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
}


def main(arguments: list[str], folder: Path = DOCS) -> int:
    """Write every page, or with ``--check`` compare; the number returned is the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: docs/build.py [--check]\n")
        return 2
    stale = [name for name, page in PAGES.items() if _read(folder / name) != GENERATED + page()]
    for name in stale if arguments else ():
        sys.stderr.write(f"docs/{name} is out of step with the code: run `make docs` and commit it\n")
    for name in () if arguments else stale:
        (folder / name).write_text(GENERATED + PAGES[name](), encoding="utf-8")
    return 1 if arguments and stale else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
