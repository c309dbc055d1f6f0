"""The settings of one process, read once by its entry point: flags, then environment, then ``packhouse.toml``, then defaults.

Only ``packhouse.py`` and the decorated modules in ``flows`` read them; every other room is handed values.
Each setting is described in ``FIELDS``; ``docs/settings.md`` is generated from it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from warehouse.expectations import Tuning, read_tunings

CONFIG_FILE = "packhouse.toml"
EXPECTATIONS = "expectations"

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST_AGE = 100 * 366 * 86_400
_PORTS = {"http": 80, "https": 443}
_NOT_IN_ADDRESS = re.compile(r"[^!-~]|[?#@\\]")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9_.-]*[a-z0-9.])?")
_SHOWN = 80


class InvalidSettings(Exception):
    """One or more settings cannot be used; ``problems`` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values in force.

    ``origins`` tells for each field whether a flag, the environment, the file or the default gave it. ``expectations`` are those of a
    publication that the file changes.
    """

    data: Path
    catalog: Path
    time_zone: ZoneInfo
    github_api_url: str
    github_token: str | None
    github_points_per_minute: int
    github_graphql: bool
    pypi_url: str
    pypi_index_threshold: int
    concurrency: int
    max_age: timedelta
    retention: timedelta | None
    base_url: str | None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] | None
    cors: bool
    contact: str | None
    log_format: str
    metrics_file: Path | None
    origins: Mapping[str, str]
    expectations: Mapping[str, Tuning]

    def __repr__(self) -> str:
        """Never shows the token."""
        return f"Settings(data={str(self.data)!r}, catalog={str(self.catalog)!r})"


def parse_age(text: str) -> timedelta:
    """Read a duration such as ``90m``, ``20h``, ``2d`` or ``1w``; raises ValueError with what to write instead."""
    body, unit = text.strip()[:-1], text.strip()[-1:].lower()
    if unit not in _UNITS or not body.isascii() or not body.isdigit():
        message = f"{_shown(text)} is not a duration: write a whole number and one of s, m, h, d, w, for example 20h"
        raise ValueError(message)
    if len(body.lstrip("0")) > len(str(_LONGEST_AGE)) or int(body) * _UNITS[unit] > _LONGEST_AGE:
        message = f"{_shown(text)} is longer than a hundred years: write for example 20h"
        raise ValueError(message)
    return timedelta(seconds=int(body) * _UNITS[unit])


def _shown(text: str) -> str:
    """Quote for a message, without what may be a password in an address."""
    if "@" in text:
        text = "...@" + text.rpartition("@")[2]
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def parse_service(text: str) -> str:
    """Address of a service we send to: encrypted, or on this machine."""
    address, host = _split(text)
    if address.startswith("http:") and not _is_loopback(host):
        message = f"{_shown(text)} would send data unencrypted: write https:// (http:// is for this machine only)"
        raise ValueError(message)
    return address


def _link(text: str) -> str:
    """Address that others are given as a link; it may be plain http."""
    return _split(text)[0]


def _split(text: str) -> tuple[str, str]:
    """The address with scheme and host in lower case, without default port or trailing slash; and the host alone."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        is_address = parts.scheme in _PORTS and not _NOT_IN_ADDRESS.search(text) and _is_host(parts.netloc, host)
    except ValueError:
        is_address = False
    if not is_address:
        message = f"{_shown(text)} is not an address: write it as https://host or https://host/path"
        raise ValueError(message)
    place = f"[{host}]" if ":" in host else host
    place += "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{place}{parts.path}".rstrip("/"), host


def _is_host(netloc: str, host: str) -> bool:
    if "[" in netloc:
        return ip_address(host).version == 6  # noqa: PLR2004 - brackets are for IPv6; ip_address raises ValueError for anything else
    return bool(_HOST.fullmatch(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _folder(text: str) -> Path:
    if not text.isprintable():
        message = f"{_shown(text)} has a character no path should have: write the path of a folder"
        raise ValueError(message)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        message = f"{_shown(text)}: there is no home folder to put in place of ~; write the whole path"
        raise ValueError(message) from None


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        digits = text.strip()
        is_whole = digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) <= len(str(high))
        if not is_whole or not low <= int(digits) <= high:
            message = f"{_shown(text)} is not a whole number from {low} to {high}"
            raise ValueError(message)
        return int(digits)

    return parse


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word not in ("on", "off"):
        message = f"{_shown(text)} is not a switch: write on or off"
        raise ValueError(message)
    return word == "on"


def _log_format(text: str) -> str:
    word = text.strip().lower()
    if word not in ("text", "json"):
        message = f"{_shown(text)} is not a form of logs: write text or json"
        raise ValueError(message)
    return word


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text.strip())
    except (KeyError, ValueError, OSError):
        message = f"{_shown(text)} is not an IANA time zone: write for example Europe/Berlin or UTC"
        raise ValueError(message) from None


def _token(text: str) -> str:
    text = text.strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        message = "the token has characters no token has: copy it again"
        raise ValueError(message)
    return text


def _contact(text: str) -> str:
    text = text.strip()
    if not text.isascii() or not text.isprintable() or set(text) & set("()"):
        message = "has characters a User-Agent cannot carry: write an e-mail address or the address of a page"
        raise ValueError(message)
    return text


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    networks = []
    for part in text.split(","):
        try:
            networks.append(ip_network(part.strip()))
        except ValueError:
            message = f"{_shown(part.strip())} is not an address or a network: write for example 127.0.0.1 or 10.0.0.0/8"
            raise ValueError(message) from None
    return tuple(networks)


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
    Field(name="data", variable="PACKHOUSE_DATA", default="data", parse=_folder, meaning="Folder for landing, store and publications."),
    Field(name="catalog", variable="PACKHOUSE_CATALOG", default="catalog", parse=_folder, meaning="Folder with the four catalog files."),
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
        parse=parse_service,
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
        meaning="GitHub's secondary limit for REST; 0 means the server has no secondary limits (GitHub Enterprise Server).",
    ),
    Field(
        name="github_graphql",
        variable="PACKHOUSE_GITHUB_GRAPHQL",
        default="on",
        parse=_switch,
        meaning="on: with a token, ask GitHub about many repositories at once by GraphQL; off: by REST alone.",
    ),
    Field(
        name="pypi_url", variable="PACKHOUSE_PYPI_URL", default="https://pypi.org", parse=parse_service, meaning="The Python package index."
    ),
    Field(
        name="pypi_index_threshold",
        variable="PACKHOUSE_PYPI_INDEX_THRESHOLD",
        default="1000",
        parse=_whole(0, 100_000_000),
        meaning="From so many projects due on, one read of PyPI's whole index tells which of them changed; below, each is asked.",
    ),
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
        name="retention",
        variable="PACKHOUSE_RETENTION",
        default=None,
        parse=parse_age,
        meaning="How long answers are kept, counted back from the newest run; packhouse compact drops older ones. Without it all are.",
    ),
    Field(
        name="base_url",
        variable="PACKHOUSE_BASE_URL",
        default=None,
        parse=_link,
        meaning="Start of the links in the payload; without it the API uses the host it was asked under.",
    ),
    Field(
        name="trusted_proxies",
        variable="PACKHOUSE_TRUSTED_PROXIES",
        default=None,
        parse=_networks,
        meaning="Addresses or networks, with commas between, whose X-Forwarded-Proto and X-Forwarded-Host the API believes.",
    ),
    Field(
        name="cors",
        variable="PACKHOUSE_CORS",
        default="off",
        parse=_switch,
        meaning="on lets scripts on any web page read the API (Access-Control-Allow-Origin: *).",
    ),
    Field(
        name="contact",
        variable="PACKHOUSE_CONTACT",
        default=None,
        parse=_contact,
        meaning="Address or e-mail sent in the User-Agent, so that GitHub and PyPI can reach you.",
    ),
    Field(
        name="log_format",
        variable="PACKHOUSE_LOG_FORMAT",
        default="text",
        parse=_log_format,
        meaning="What is said on stderr: text for people, json for one object a line.",
    ),
    Field(
        name="metrics_file",
        variable="PACKHOUSE_METRICS_FILE",
        default=None,
        parse=_folder,
        meaning="File (*.prom) that a run writes at its end for the textfile collector of Prometheus' node exporter.",
    ),
)


def load_settings(flags: Mapping[str, str | None], environ: Mapping[str, str], config_file: Path) -> Settings:
    """Combine flags, environment and ``packhouse.toml``; an empty or blank value counts as unset.

    A token is taken from the environment alone: flags stand in process lists and in the parameters of flow runs.
    Raises InvalidSettings naming every unusable value, where it came from, and every unknown key of the file.
    """
    problems: list[str] = []
    known = sorted(field.name for field in FIELDS)
    problems += [f"unknown setting {name!r}; known are {', '.join(known)}" for name in sorted(flags) if name not in known]
    config, tunings = _read_config(config_file, problems)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for field in FIELDS:
        if field.is_secret and flags.get(field.name):
            problems.append(f"{_flag(field)}: tokens are taken from the environment alone; set {field.variable}")
        text, origin = _choose(field, flags, environ, config, config_file.name)
        values[field.name] = None
        origins[field.name] = origin
        if text is not None:
            try:
                values[field.name] = field.parse(text)
            except ValueError as error:
                problems.append(f"{origin}: {error}")
    if problems:
        raise InvalidSettings(problems)
    return Settings(**values, origins=origins, expectations=tunings)


def _flag(field: Field) -> str:
    return f"--{field.name.replace('_', '-')}"


def _choose(
    field: Field, flags: Mapping[str, str | None], environ: Mapping[str, str], config: Mapping[str, str], file: str
) -> tuple[str | None, str]:
    """The text in force and where it came from."""
    candidates = (
        (flags.get(field.name), _flag(field)),
        (environ.get(field.variable), field.variable),
        (config.get(field.name), f"{file}: {field.name}"),
        (field.default, "default"),
    )
    return next(((text, origin) for text, origin in candidates if text and text.strip()), (None, "not set"))


def _read_config(path: Path, problems: list[str]) -> tuple[dict[str, str], dict[str, Tuning]]:
    """What the file says: settings as text, and the expectations it changes."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}, {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path}: cannot be read as TOML ({error})")
        return {}, {}
    allowed = {field.name for field in FIELDS if not field.is_secret}
    secret = {name.lower() for field in FIELDS if field.is_secret for name in (field.name, field.variable)}
    switches = {field.name for field in FIELDS if field.parse is _switch}
    config: dict[str, str] = {}
    tunings = read_tunings(raw.pop(EXPECTATIONS, {}), problems, path.name)
    for key, value in raw.items():
        if key.lower().replace("-", "_") in secret:
            problems.append(f"{path}: tokens do not belong in a file; set GITHUB_TOKEN in the environment")
        elif key not in allowed:
            problems.append(f"{path}: unknown setting {_shown(key)}; known are {', '.join(sorted({*allowed, EXPECTATIONS}))}")
        elif type(value) is bool and key in switches:
            config[key] = "on" if value else "off"
        elif type(value) not in (str, int):
            problems.append(f"{path.name}: {key}: write a text in quotes or a whole number")
        else:
            config[key] = str(value)
    return config, tunings
