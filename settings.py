"""The settings of one process, read once by its entry point: flags, then environment, then ``packhouse.toml``, then defaults.

Only ``packhouse.py`` and the decorated modules in ``flows`` read them; every other room is handed values.
Each setting is described in ``FIELDS``; ``docs/settings.md`` is generated from it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

CONFIG_FILE = "packhouse.toml"


class InvalidSettings(Exception):
    """One or more settings cannot be used; ``problems`` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values in force. ``origins`` tells for each field whether a flag, the environment, the file or the default gave it."""

    data: Path
    catalog: Path
    time_zone: ZoneInfo
    github_api_url: str
    github_token: str | None
    github_points_per_minute: int
    pypi_url: str
    concurrency: int
    max_age: timedelta
    base_url: str | None
    contact: str | None
    origins: Mapping[str, str]

    def __repr__(self) -> str:
        """Never shows the token."""
        return f"Settings(data={str(self.data)!r}, catalog={str(self.catalog)!r})"


def parse_age(text: str) -> timedelta:
    """Read a duration such as ``90m``, ``20h``, ``2d`` or ``1w``; raises ValueError with what to write instead."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    body, unit = text.strip()[:-1], text.strip()[-1:].lower()
    if unit not in units or not body.isascii() or not body.isdigit():
        message = f"{text!r} is not a duration: write a whole number and one of s, m, h, d, w, for example 20h"
        raise ValueError(message)
    if int(body) * units[unit] > 100 * 366 * 86400:
        message = f"{text!r} is longer than a hundred years"
        raise ValueError(message)
    return timedelta(seconds=int(body) * units[unit])


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        message = f"{text!r} is not an address: write it as https://host or https://host/path"
        raise ValueError(message)
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        message = f"{text!r} would send data unencrypted: write https:// (http:// is for this machine only)"
        raise ValueError(message)
    return text.rstrip("/")


def _link(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        message = f"{text!r} is not an address: write it as https://host"
        raise ValueError(message)
    return text.rstrip("/")


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.strip().isascii() or not text.strip().isdigit() or not low <= int(text) <= high:
            message = f"{text!r} is not a whole number from {low} to {high}"
            raise ValueError(message)
        return int(text)

    return parse


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        message = f"{text!r} is not an IANA time zone: write for example Europe/Berlin or UTC"
        raise ValueError(message) from None


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        message = "the token has characters no token has: copy it again"
        raise ValueError(message)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting: its variable, its key in ``packhouse.toml``, default (as text; ``None`` = unset), parser and meaning."""

    name: str
    variable: str
    default: str | None
    parse: Callable[[str], Any]
    meaning: str
    is_secret: bool = False


FIELDS: tuple[Field, ...] = (
    Field(name="data", variable="PACKHOUSE_DATA", default="data", parse=Path, meaning="Folder for landing, store and publications."),
    Field(name="catalog", variable="PACKHOUSE_CATALOG", default="catalog", parse=Path, meaning="Folder with the four catalog files."),
    Field(
        name="time_zone",
        variable="PACKHOUSE_TIME_ZONE",
        default="America/New_York",
        parse=_zone,
        meaning="Zone in which the payload prints times.",
    ),
    Field(
        name="github_api_url",
        variable="PACKHOUSE_GITHUB_API_URL",
        default="https://api.github.com",
        parse=_url,
        meaning="GitHub's REST API, or that of a GitHub Enterprise Server.",
    ),
    Field(
        name="github_token",
        variable="GITHUB_TOKEN",
        default=None,
        parse=_token,
        meaning="A token of your own account; without one GitHub answers 60 requests an hour.",
        is_secret=True,
    ),
    Field(
        name="github_points_per_minute",
        variable="PACKHOUSE_GITHUB_POINTS_PER_MINUTE",
        default="900",
        parse=_whole(0, 1_000_000),
        meaning="GitHub's secondary limit for REST; 0 means the server has none (GitHub Enterprise Server).",
    ),
    Field(name="pypi_url", variable="PACKHOUSE_PYPI_URL", default="https://pypi.org", parse=_url, meaning="The Python package index."),
    Field(
        name="concurrency",
        variable="PACKHOUSE_CONCURRENCY",
        default="16",
        parse=_whole(1, 100),
        meaning="Most requests in flight to GitHub at once; PyPI gets a quarter.",
    ),
    Field(
        name="max_age",
        variable="PACKHOUSE_MAX_AGE",
        default="20h",
        parse=parse_age,
        meaning="A value younger than this is not asked for again; older than twice this it is stale.",
    ),
    Field(
        name="base_url",
        variable="PACKHOUSE_BASE_URL",
        default=None,
        parse=_link,
        meaning="Start of the links in the payload; without it the API uses the host it was asked under.",
    ),
    Field(
        name="contact",
        variable="PACKHOUSE_CONTACT",
        default=None,
        parse=_token,
        meaning="Address or e-mail sent in the User-Agent, so that GitHub and PyPI can reach you.",
    ),
)


def load_settings(flags: Mapping[str, str | None], environ: Mapping[str, str], config_file: Path) -> Settings:
    """Combine flags, environment and ``packhouse.toml``; an empty value counts as unset.

    Raises InvalidSettings naming every unusable value, where it came from, and every unknown key of the file.
    """
    problems: list[str] = []
    config = _read_config(config_file, problems)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for field in FIELDS:
        candidates = (
            (flags.get(field.name), f"--{field.name.replace('_', '-')}"),
            (environ.get(field.variable), field.variable),
            (None if field.is_secret else config.get(field.name), f"{config_file.name}: {field.name}"),
            (field.default, "default"),
        )
        text, origin = next(((t, o) for t, o in candidates if t), (None, "default"))
        values[field.name] = None
        origins[field.name] = origin if text is not None else "not set"
        if text is not None:
            try:
                values[field.name] = field.parse(text)
            except ValueError as error:
                problems.append(f"{origin}: {error}")
    if problems:
        raise InvalidSettings(problems)
    return Settings(**values, origins=origins)


def _read_config(path: Path, problems: list[str]) -> dict[str, str]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path}: cannot be read as TOML ({error})")
        return {}
    allowed = {field.name for field in FIELDS if not field.is_secret}
    for key in raw:
        if key == "github_token":
            problems.append(f"{path}: tokens do not belong in a file; set GITHUB_TOKEN in the environment")
        elif key not in allowed:
            problems.append(f"{path}: unknown setting {key!r}; known are {', '.join(sorted(allowed))}")
    return {key: str(value) for key, value in raw.items() if key in allowed}
