"""``packhouse doctor``: environment, settings, catalog, services and data folder looked at, each with its remedy.

It spends no quota: GitHub is asked for ``GET /rate_limit``, which is free
(https://docs.github.com/en/rest/rate-limit/rate-limit), PyPI for its front page; and it changes nothing.
"""

from __future__ import annotations

import asyncio
import re
import resource
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
from packaging.requirements import Requirement

from extractors.clock import SystemClock
from extractors.conversation import GITHUB, PYPI, Answer, Ask
from flows.asking import make_client
from settings import FIELDS, Settings
from transforms.catalog import InvalidCatalog
from transforms.clocks import TOLERANCE, skew_of
from transforms.diagnoses import Diagnosis, doubtful, fine, some, wrong
from warehouse.catalog_files import load_catalog
from warehouse.errors import WarehouseError
from warehouse.folder import DataFolder
from warehouse.inspection import inspect_contents
from warehouse.premises import inspect_premises

HERE = Path(__file__).resolve().parent.parent
FEWEST_FILES = 1024
CLOCK_DRIFT = timedelta(seconds=30)
EXPIRES_SOON = timedelta(days=14)
LOW_QUOTA = 0.1
_UNAUTHORISED, _BROKEN = 401, 500
_ASKS = {
    GITHUB: Ask(source=GITHUB, subject=GITHUB, facet="rate_limit", url="/rate_limit"),
    PYPI: Ask(source=PYPI, subject=PYPI, facet="front", url="/", accept="*/*"),
}


def examine(settings: Settings, *, is_offline: bool = False) -> Iterator[Diagnosis]:
    """Look at everything, one after the other; without the services when ``is_offline``."""
    yield _python()
    yield from _libraries()
    yield _open_files()
    yield _time_zones(settings)
    given = [
        f"{field.name} ({settings.origins[field.name]})" for field in FIELDS if settings.origins[field.name] not in ("default", "not set")
    ]
    yield fine("settings", f"not at their default: {', '.join(given) or 'none'}.")
    if settings.github_token is None:
        yield doubtful("token", "there is none; GitHub then answers 60 requests an hour.", "set GITHUB_TOKEN")
    if settings.contact is None:
        yield doubtful("contact", "there is none in the User-Agent.", "set PACKHOUSE_CONTACT, so that GitHub and PyPI can reach you")
    yield _catalog(settings)
    if not is_offline:
        yield from _services(settings)
    folder = DataFolder(settings.data)
    yield from inspect_premises(folder)
    if folder.root.exists():
        yield from inspect_contents(folder)


def _python() -> Diagnosis:
    found = sys.version.partition(" ")[0]
    wanted = str(metadata.metadata("packhouse")["Requires-Python"])
    if not Requirement(f"python{wanted}").specifier.contains(found, prereleases=True):
        return wrong("python", f"{found}, wanted is {wanted}.", "make clean and make demo with another PYTHON")
    return fine("python", f"{found}, {sys.executable}.")


def _libraries() -> Iterator[Diagnosis]:
    """Those installed against pyproject.toml, among them the pair that Prefect breaks without, and against the lock."""
    wanted = [Requirement(line) for line in tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]]
    amiss = [
        f"{requirement.name} is {found or 'missing'}, wanted {requirement.specifier}"
        for requirement in wanted
        if not (found := _installed(requirement.name)) or not requirement.specifier.contains(found, prereleases=True)
    ]
    remedy = "pip install --require-hashes -r requirements.lock, or make clean and make demo"
    if amiss:
        yield wrong("libraries", f"{some(amiss)}.", remedy)
    else:
        yield fine("libraries", f"{len(wanted)} as pinned.")
    locked = re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", (HERE / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    other = [f"{name} is {found}, locked {version}" for name, version in locked if (found := _installed(name)) and found != version]
    if other:
        yield doubtful("lock file", f"{some(other)}.", remedy)
    else:
        yield fine("lock file", f"what is installed is what was locked and tested, of {len(locked)} libraries.")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _open_files() -> Diagnosis:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEWEST_FILES:
        return doubtful("open files", f"{soft:,} at most (hard limit {hard:,}).", f"ulimit -n {FEWEST_FILES}, or LimitNOFILE= in the unit")
    return fine("open files", "no limit." if soft == resource.RLIM_INFINITY else f"{soft:,} at most.")


def _time_zones(settings: Settings) -> Diagnosis:
    zone: ZoneInfo = settings.time_zone
    offset = datetime.now(UTC).astimezone(zone).strftime("%z")
    return fine("time zone", f"{zone.key}, now {offset}; tzdata {metadata.version('tzdata')}.")


def _catalog(settings: Settings) -> Diagnosis:
    try:
        catalog = load_catalog(settings.catalog)
    except InvalidCatalog as error:
        return wrong("catalog", f"{settings.catalog} has {len(error.mistakes):,} mistakes.", "packhouse catalog check names them")
    except (OSError, WarehouseError) as error:
        return wrong("catalog", f"{settings.catalog}: {error}.", "name it with --catalog")
    return fine("catalog", f"{settings.catalog}: {len(catalog.entries):,} packages, {len(catalog.subjects):,} subjects.")


def _services(settings: Settings) -> Iterator[Diagnosis]:
    answers = asyncio.run(_ask(settings))
    for source, answer in answers.items():
        address = settings.github_api_url if source == GITHUB else settings.pypi_url
        if answer.status is None or answer.status >= _BROKEN:
            why = answer.error or f"status {answer.status}"
            yield wrong(
                source, f"{address} is out of reach ({why}).", "network, proxy, certificates (SSL_CERT_FILE); or it is their outage"
            )
            continue
        yield fine(source, f"{address} answered {answer.status} in {answer.duration_ms:,} ms.")
        yield _clock(source, answer)
    if answers[GITHUB].status is not None:
        yield from _token(settings, answers[GITHUB])


async def _ask(settings: Settings) -> dict[str, Answer]:
    async with make_client(settings, SystemClock()) as client:
        answers = await asyncio.gather(*(client.send(ask, 1) for ask in _ASKS.values()))
    return dict(zip(_ASKS, answers, strict=True))


def _clock(source: str, answer: Answer) -> Diagnosis:
    skew = skew_of(answer.headers, answer.fetched_at)
    name = f"clock, {source}"
    if skew is None:
        return doubtful(name, "the answer has no date.", "compare the machine's clock with another: timedatectl")
    found = f"theirs is {abs(skew).total_seconds():,.0f} s {'ahead of' if skew > timedelta() else 'behind'} ours."
    if abs(skew) > TOLERANCE:
        return wrong(name, found, "set the machine's clock (timedatectl); until then nothing that is said joins the history")
    return doubtful(name, found, "let the network set the clock: timedatectl") if abs(skew) > CLOCK_DRIFT else fine(name, found)


def _token(settings: Settings, answer: Answer) -> Iterator[Diagnosis]:
    if settings.github_token is not None:
        scopes = [scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",") if scope.strip()]
        expires = _expiry(answer.headers.get("github-authentication-token-expiration"))
        if answer.status == _UNAUTHORISED:
            yield wrong("token", "GitHub refuses it (401).", "make a new one and set GITHUB_TOKEN")
        elif expires and expires - answer.fetched_at < EXPIRES_SOON:
            yield doubtful("token", f"expires {expires:%Y-%m-%d %H:%M} UTC.", "make a new one before then and set GITHUB_TOKEN")
        elif scopes:
            yield doubtful(
                "token", f"can do more than it needs: {', '.join(scopes)}.", "make one without scopes; reading public data needs none"
            )
        else:
            yield fine("token", "valid, without scopes" + (f", expires {expires:%Y-%m-%d} UTC." if expires else "."))
    yield from _quota(answer)


def _expiry(text: str | None) -> datetime | None:
    """GitHub writes ``2026-12-31 23:59:59 UTC``, or with an offset."""
    for form in ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S %z"):
        try:
            found = datetime.strptime(text or "", form)  # noqa: DTZ007 - the first form is UTC by its word
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError):
        return None


def _quota(answer: Answer) -> Iterator[Diagnosis]:
    try:
        meters = {name: orjson.loads(answer.body)["resources"][name] for name in ("core", "graphql")}
        left = {name: (int(row["remaining"]), int(row["limit"]), int(row["reset"])) for name, row in meters.items()}
    except (ValueError, KeyError, TypeError):
        return
    for name, (remaining, limit, reset) in left.items():
        found = f"{remaining:,} of {limit:,} left until {datetime.fromtimestamp(reset, tz=UTC):%H:%M} UTC."
        if limit and remaining < limit * LOW_QUOTA:
            yield doubtful(f"quota, {name}", found, "nothing, a run waits for it; see who else uses the token")
        else:
            yield fine(f"quota, {name}", found)
