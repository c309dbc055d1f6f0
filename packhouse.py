"""The command line and the composition root: reads the settings, hands values to the rooms, prints what comes back.

Each command imports the rooms it needs inside itself, so that ``packhouse --help`` answers at once.
Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 finished but something is
stale or was refused publication.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transforms.screen import escaped_json, printable

if TYPE_CHECKING:
    from flows.compaction import CompactionReport
    from flows.options import HarvestOptions
    from flows.past_window import BackfillOptions
    from flows.report import RunReport
    from settings import Settings

# Arrow's own allocator keeps what it once had; the system's gives it back: a fifth less at the peak of a harvest.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

HERE = Path(__file__).resolve().parent
DEMO_NOW = datetime(2026, 2, 15, 22, 19, 55, 437989, tzinfo=UTC)  # the moment the sample record was fetched
DEMO_PACKAGE = "django-scheduler"
SOURCE_KINDS = (  # as in transforms/source_kinds.py, which --help does not wait for
    *("names", "requirements", "pyproject", "uv-lock", "pylock", "cyclonedx", "spdx"),
    *("classifier-list", "django-packages", "pypi-index"),
)
DEMO_SQL = """\
select slug, stars_count as stars, forks_count as forks, latest_version as version, list_sum(weeks) as commits_52_weeks, weeks_state
from packages order by stars_count desc nulls last limit 8"""

Command = Callable[..., Any]
_LOG_FORMAT: list[str] = []  # that of the settings, once they were read


def _say(text: str, level: str = "info") -> None:
    if os.environ.get("PACKHOUSE_LOG_FORMAT", "").strip().lower() == "json" or _LOG_FORMAT == ["json"]:
        from flows.log_lines import log_line

        text = log_line(datetime.now(UTC), text, level=level)
    click.echo(printable(text), err=True)


def _tell(lines: Iterable[str]) -> None:
    click.echo(printable("\n".join(lines)))


def _print_json(value: Any) -> None:
    click.echo(escaped_json(json.dumps(value, indent=2, ensure_ascii=False, default=str)))


class _Moment(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        from transforms.times import parse_moment

        try:
            return parse_moment(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _settings(**flags: str | None) -> Settings:
    from settings import CONFIG_FILE, load_settings

    settings = load_settings(flags, os.environ, Path(CONFIG_FILE))
    _LOG_FORMAT[:] = [settings.log_format]
    return settings


def _data(command: Command) -> Command:
    return click.option("--data", metavar="FOLDER", help="Data folder (PACKHOUSE_DATA; default ./data).")(command)


def _catalog(command: Command) -> Command:
    return click.option("--catalog", metavar="FOLDER", help="Catalog folder (PACKHOUSE_CATALOG; default ./catalog).")(command)


def _as_json(command: Command) -> Command:
    return click.option("--json", "is_json", is_flag=True, help="Print JSON for programs.")(command)


def _engine(command: Command) -> Command:
    kinds = click.Choice(["prefect", "none"])
    return click.option("--engine", type=kinds, default="prefect", show_default=True, help="Run as a Prefect flow, or as plain steps.")(
        command
    )


def _style(command: Command) -> Command:
    styles = click.Choice(["table", "csv", "json", "parquet"])
    return click.option("--format", "style", type=styles, default="table", show_default=True, help="How to print the rows.")(command)


def _hindsight(command: Command) -> Command:
    text = "With --as-of: by all that is known now, backfilled facts included, instead of what was known then."
    return click.option("--hindsight", is_flag=True, help=text)(command)


def _output(command: Command) -> Command:
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("--output", type=path, help="Write to this file instead of stdout.")(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="packhouse")
def cli() -> None:
    """Harvest what GitHub and PyPI say about a catalog of packages, keep its history, serve the Django Packages v4 payload.

    \b
    Examples:
      packhouse demo                         the whole way on sample data, no network, no token
      packhouse catalog check                every mistake in the catalog at once
      packhouse plan                         what a harvest would ask, and its cost
      packhouse harvest                      ask GitHub and PyPI, load, check, publish
      packhouse schedule --cron "17 3 * * *" the same every day, in the foreground
      packhouse sql "from packages limit 5"  query the publication
    """


@cli.command()
@click.argument("slugs", nargs=-1)
@_data
@_catalog
@click.option("--max-age", metavar="AGE", help="Ask again only for values at least this old, such as 90m, 20h, 2d (PACKHOUSE_MAX_AGE).")
@click.option("--full", is_flag=True, help="Ask for everything, however young.")
@click.option(
    "--budget", type=click.IntRange(min=0), metavar="N", help="Stop asking GitHub after N quota units; everything landed is kept."
)
@click.option("--dry-run", is_flag=True, help="Only print the plan, as 'packhouse plan' does.")
@click.option(
    "--now", "fixed_now", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), hidden=True, help="A clock that stands still, for measuring."
)
@_engine
@_as_json
def harvest(*, slugs: tuple[str, ...], dry_run: bool, engine: str, is_json: bool, **given: Any) -> None:
    """Ask GitHub and PyPI what is due, then load, check and publish.

    \b
    Examples:
      packhouse harvest                       the whole catalog
      packhouse harvest django-scheduler      one package
      packhouse harvest --budget 500          at most 500 quota units
      packhouse harvest --engine none         without Prefect, for cron
    """
    options = _harvest_options(slugs, **given)
    if dry_run:
        _print_plan(options, is_json=is_json)
        return
    from flows.running import run_harvest

    _finish(run_harvest(options, _settings(**options.settings), engine, _say), is_json=is_json)


@cli.command()
@click.argument("slugs", nargs=-1)
@_data
@_catalog
@click.option("--max-age", metavar="AGE", help="Ask again only for values at least this old (PACKHOUSE_MAX_AGE).")
@click.option("--full", is_flag=True, help="Ask for everything, however young.")
@click.option("--budget", type=click.IntRange(min=0), metavar="N", help="What would a budget of N quota units leave out?")
@_as_json
def plan(*, slugs: tuple[str, ...], is_json: bool, **given: Any) -> None:
    """Print what a harvest would ask and what that costs, without asking anything.

    \b
    Example:
      packhouse plan --max-age 7d
    """
    _print_plan(_harvest_options(slugs, **given), is_json=is_json)


@cli.command()
@click.argument("slugs", nargs=-1)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First day wanted (UTC).")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day wanted; it must be over (default: yesterday, UTC).")
@_data
@_catalog
@click.option("--every", type=click.Choice(["day", "week", "month"]), help="Make rows of period_records for the whole ones in the window.")
@click.option("--full", is_flag=True, help="Ask for days that are known already, too.")
@click.option("--budget", type=click.IntRange(min=0), metavar="N", help="Stop asking GitHub after N quota units; what landed is kept.")
@click.option("--plan", "is_plan", is_flag=True, help="Only print what it would ask and what that costs.")
@click.option("--now", "fixed_now", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), hidden=True, help="A clock that stands still.")
@_engine
@_as_json
def backfill(*, is_plan: bool, engine: str, is_json: bool, **given: Any) -> None:
    """Ask the services for their past: commits and retained stars by day; then load and publish. It may run beside a harvest.

    \b
    Examples:
      packhouse backfill --since 2024-01-01 --plan                  what it would ask, and its cost
      packhouse backfill --since 2024-01-01                         until yesterday, the whole catalog
      packhouse backfill --since 2024-01-01 --until 2024-12-31 django-scheduler
    """
    options = _backfill_options(**given)
    settings = _settings(**options.settings)
    if is_plan:
        from flows.past_plan import describe_backfill
        from flows.past_runs import preview_backfill

        planned = preview_backfill(options, settings)
        if is_json:
            _print_json(planned.as_json())
        else:
            _tell(describe_backfill(planned, options.since, options.until))
        return
    from flows.running import run_backfill

    _finish(run_backfill(options, settings, engine, _say), is_json=is_json)


@cli.command()
@click.option("--cron", metavar="LINE", help="When: minute hour day month weekday, such as '17 3 * * *'.")
@click.option("--every", metavar="AGE", help="Or how often, such as 6h, counted from the first start.")
@click.option("--timezone", metavar="ZONE", default="UTC", show_default=True, help="Zone the cron line is read in, such as Europe/Berlin.")
@_data
@_catalog
@click.option("--max-age", metavar="AGE", help="Ask again only for values at least this old (PACKHOUSE_MAX_AGE).")
@click.option("--budget", type=click.IntRange(min=0), metavar="N", help="Stop asking GitHub after N quota units, in each run.")
@_engine
def schedule(*, cron: str | None, every: str | None, timezone: str, **given: Any) -> None:
    """Harvest again and again, in the foreground, until SIGTERM or Ctrl-C; no server, no cron.

    Runs that were missed are made up for by one, at once. The next due time stands in schedule.json in the data folder.

    \b
    Examples:
      packhouse schedule --cron "17 3 * * *"                            daily at 03:17 UTC
      packhouse schedule --cron "17 3 * * *" --timezone Europe/Berlin
      packhouse schedule --every 6h --max-age 5h                        at once, then every six hours
    """
    from flows.foreground import Wanted, keep_schedule, notifier, read_zone

    settings = _settings(**{name: given[name] for name in ("data", "catalog", "max_age")})
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    wanted = Wanted(cron=cron, zone=timezone, every=every, arguments=["harvest", *arguments])
    sys.exit(keep_schedule(wanted, settings.data, read_zone(timezone), say=_say, notify=notifier(os.environ.get("NOTIFY_SOCKET"))))


@cli.command()
@_data
@_catalog
@_engine
@_as_json
def replay(*, data: str | None, catalog: str | None, engine: str, is_json: bool) -> None:
    """Rebuild the store and the publication from the landed answers: no network, the same result every time.

    \b
    Example:
      packhouse replay                        after a transform was mended, or when the store is damaged
    """
    from flows.running import run_replay

    given = {name: text for name, text in (("data", data), ("catalog", catalog)) if text}
    _finish(run_replay(given, _settings(**given), engine, _say), is_json=is_json)


@cli.command()
@_data
@click.option("--retention", metavar="AGE", help="Drop answers older than this, such as 52w (PACKHOUSE_RETENTION; default: keep all).")
@_engine
@_as_json
def compact(*, engine: str, is_json: bool, **given: str | None) -> None:
    """Make the data folder small: landed answers move into archives, the store gives back what it freed; no value changes.

    \b
    Example:
      packhouse compact                       once a month; may be killed, and goes on when run again
    """
    from flows.running import run_compact

    _finish(run_compact({name: text for name, text in given.items() if text}, _settings(**given), engine, _say), is_json=is_json)


@cli.command()
@_data
@_catalog
@click.option("--accept", metavar="REASON", help="Publish although a check refuses it; the reason is kept in runs.accepted_reason.")
@click.option("--as-of", type=_Moment(), help="Publish again what was published at this time, from what was known then.")
@_hindsight
@_as_json
def publish(*, accept: str | None, as_of: datetime | None, hindsight: bool, is_json: bool, **places: str | None) -> None:
    """Publish what the store has with the catalog as it is now, without asking anyone.

    \b
    Example:
      packhouse publish                       after an edit of the catalog, or when a disk was full
      packhouse publish --accept "200 packages were retired"
      packhouse publish --as-of 2026-03-01    what was published when that day began, catalog included
    """
    from flows.past import publish_in_hindsight, publish_past
    from flows.publishing import read_reason, republish

    try:
        reason = None if accept is None else read_reason(accept)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--accept") from None
    settings = _settings(**places)
    _refuse_hindsight_alone(as_of, hindsight=hindsight)
    if as_of is None:
        report = republish(settings, accepted=reason)
    else:
        report = (publish_in_hindsight if hindsight else publish_past)(settings, as_of, accepted=reason)
    _finish(report, is_json=is_json)


@cli.command()
@click.argument("slug")
@_data
@click.option("--as-of", type=_Moment(), help="As it was published at this time.")
@_hindsight
@click.option("--compact", is_flag=True, help="Print the bytes the API sends instead of indented JSON.")
def show(*, slug: str, as_of: datetime | None, hindsight: bool, compact: bool, **places: str | None) -> None:
    """Print the v4 record of one package, by slug or id, from the current publication, or as it was at an earlier time.

    \b
    Examples:
      packhouse show django-scheduler
      packhouse show django-scheduler --as-of 2026-03-01T12:00
    """
    from transforms.payload import render
    from warehouse.folder import DataFolder
    from warehouse.readers import open_current

    settings = _settings(**places)
    with open_current(DataFolder(settings.data)) as publication:
        payload = _payload(publication, slug, settings, as_of, hindsight=hindsight)
    shown = render(payload, indent=None if compact else 4)
    sys.stdout.buffer.write((shown if compact else escaped_json(shown.decode()).encode()) + b"\n")


@cli.command()
@click.argument("before")
@click.argument("after")
@_data
@_style
@_output
def diff(*, before: str, after: str, style: str, output: Path | None, **places: str | None) -> None:
    """Show what changed between two moments: packages that came or went, and every value that is another.

    BEFORE and AFTER are runs that were published, or times. Times of confirmation are left out, they move with every run.

    \b
    Examples:
      packhouse diff 2026-03-01 2026-04-01
      packhouse diff 20260301T031700Z-0001 20260302T031700Z-0001 --format parquet --output changes.parquet
    """
    from warehouse.differences import differences, moment_of
    from warehouse.folder import DataFolder
    from warehouse.readers import open_current
    from warehouse.rows import write_rows

    with open_current(DataFolder(_settings(**places).data)) as publication:
        rows = differences(publication, moment_of(publication, before), moment_of(publication, after))
    write_rows(rows.to_reader(), style, output)


@cli.command()
@click.argument("query", required=False)
@_data
@_style
@_output
def sql(*, query: str | None, style: str, output: Path | None, **places: str | None) -> None:
    """Query the current publication, read-only, without access to files or the network; without QUERY, open a prompt.

    The prompt has history, completion (Tab) and pages (PAGER); .help tells its commands. Statements on stdin are answered one by one.

    \b
    Examples:
      packhouse sql "select slug, stars_count from packages order by 2 desc limit 10"
      packhouse sql --format parquet --output packages.parquet "from packages"
    """
    from warehouse.database import bound_memory
    from warehouse.folder import DataFolder
    from warehouse.readers import open_current
    from warehouse.readers import query as answer
    from warehouse.rows import write_rows

    bound_memory()
    with open_current(DataFolder(_settings(**places).data)) as publication:
        if query is not None:
            write_rows(answer(publication, query), style, output)
            return
        if sys.stdin.isatty() and sys.stdout.isatty():
            from warehouse.terminal import converse

            converse(publication, style, output, os.environ)
        else:
            from warehouse.prompt import QueryPrompt, read_lines

            read_lines(QueryPrompt(publication, lambda rows, style: write_rows(rows, style, output), style), sys.stdin)


@cli.command()
@_data
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of stdout.")
def report(*, output: Path | None, **places: str | None) -> None:
    """Draw the current publication as one HTML page that needs nothing else: catalog, changes, stars, freshness, quota spent.

    \b
    Examples:
      packhouse report --output report.html   then open it in a browser
      packhouse report > report.html
    """
    from flows.reporting import make_report, write_report

    settings = _settings(**places)
    if output is not None:
        _say(write_report(settings.data, output))
        return
    if sys.stdout.isatty():
        raise click.UsageError("The report is HTML, which is not for a terminal. Next: packhouse report --output report.html")
    sys.stdout.buffer.write(make_report(settings.data)[1])


@cli.command()
@_data
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port to listen at; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the port.")
@click.option("--access-log", "has_access_log", is_flag=True, help="Write a line for each request to stderr: status, bytes, milliseconds.")
def serve(*, host: str, port: int, workers: int, has_access_log: bool, **places: str | None) -> None:
    """Serve the v4 API over the current publication; a new publication is picked up by itself.

    \b
    Example:
      packhouse serve --port 8080             then GET http://127.0.0.1:8080/api/v4/packages/
      packhouse serve --workers 4 --access-log
    """
    from api.server import Served
    from api.server import serve as serve_api

    settings = _settings(**places)
    served = Served(
        data=settings.data,
        zone=settings.time_zone,
        base_url=settings.base_url,
        trusted_proxies=settings.trusted_proxies or (),
        is_shared=settings.cors,
        has_access_log=has_access_log,
    )
    serve_api(served, host=host, port=port, workers=workers, announce=_say)


@cli.command()
@click.option("--static", "target", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where to write; becomes a link.")
@_data
@click.option("--base-url", metavar="URL", help="How links begin: where the files will be served (PACKHOUSE_BASE_URL).")
@click.option("--one-page", "is_one_page", is_flag=True, help="Whole lists in one file, for servers that do not look at queries.")
def export(*, target: Path, is_one_page: bool, **given: str | None) -> None:
    """Write the v4 API as files, byte for byte as it is served, for any web server; search is left out.

    \b
    Example:
      packhouse export --static public --base-url https://packages.example.org
    """
    from api.bodies import Bodies
    from api.snapshot import load_snapshot
    from api.static_files import static_files
    from warehouse.exported import put_tree
    from warehouse.folder import DataFolder

    settings = _settings(**given)
    if settings.base_url is None:
        raise click.UsageError("files need to know where they will be served. Next: give --base-url, or set PACKHOUSE_BASE_URL")
    bodies = Bodies(load_snapshot(DataFolder(settings.data)), settings.time_zone)
    count = put_tree(target, static_files(bodies, settings.base_url, is_one_page=is_one_page))
    click.echo(f"{target}: {count:,} files of run {bodies.snapshot.run_id}; without search, other formats and other limits.")


@cli.command()
@click.argument("slug", required=False)
@_data
@_as_json
def status(*, slug: str | None, is_json: bool, **places: str | None) -> None:
    """Show freshness against its promise by source, settings, runs, quota, disk; with SLUG, where each field of a record comes from.

    Exit 3 when a value is stale, pending or by now older than twice PACKHOUSE_MAX_AGE, or when nothing is published.

    \b
    Examples:
      packhouse status --json
      packhouse status django-scheduler       value, observed when, from which answer, state, next due
    """
    from flows.standing import describe_standing, standing

    settings = _settings(**places)
    if slug is not None:
        _explain_record(slug, settings, is_json=is_json)
        return
    state = standing(settings, datetime.now(UTC))
    if is_json:
        _print_json(state)
    else:
        _tell(describe_standing(state))
    sys.exit(0 if state["promise"]["is_kept"] else 3)


@cli.command()
@_data
@_catalog
@click.option("--offline", "is_offline", is_flag=True, help="Leave out whether GitHub and PyPI can be reached.")
@_as_json
def doctor(*, is_offline: bool, is_json: bool, **places: str | None) -> None:
    """Look at environment, settings, catalog, services and data folder; each finding has its remedy. Spends no quota, changes nothing.

    Exit 0 when all is well, 3 with a warning, 1 with an error.

    \b
    Examples:
      packhouse doctor
      packhouse doctor --offline --json
    """
    from dataclasses import asdict

    from flows.doctor import examine
    from transforms.diagnoses import exit_code

    found = []
    for diagnosis in examine(_settings(**places), is_offline=is_offline):
        found.append(diagnosis)
        if not is_json:
            _tell([diagnosis.line()])
    if is_json:
        _print_json([asdict(diagnosis) for diagnosis in found])
    sys.exit(exit_code(found))


@cli.command()
@click.argument("to", type=click.Path(file_okay=False, path_type=Path))
@_data
@click.option("--keep", type=click.IntRange(min=1), default=7, show_default=True, help="How many backups to keep there.")
@click.option("--verify", "is_verified", is_flag=True, help="Read every file again from where it was written.")
@click.option("--wait", default="1h", show_default=True, metavar="AGE", help="How long to wait for a run at work.")
@_as_json
def backup(*, to: Path, keep: int, is_verified: bool, wait: str, is_json: bool, **places: str | None) -> None:
    """Copy landing, store and current publication into a new folder below TO, with checksums; what is there already is shared.

    \b
    Example:
      packhouse backup /mnt/backup/packhouse --verify
    """
    from settings import parse_age
    from warehouse.backup import make_backup
    from warehouse.folder import DataFolder

    try:
        patience = parse_age(wait).total_seconds()
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--wait") from None
    folder = DataFolder(_settings(**places).data)
    made = make_backup(folder, to, now=datetime.now(UTC), keep=keep, patience=patience, is_verified=is_verified)
    _print_json(made.as_json()) if is_json else _tell(made.sentences())


@cli.command()
@click.argument("origin", metavar="FROM", type=click.Path(path_type=Path))
@_data
@click.option("--force", "is_forced", is_flag=True, help="Although the data folder is not empty; what is there is moved beside.")
@click.option("--verify", "is_check", is_flag=True, help="Only read the backup against its checksums; change nothing.")
@_as_json
def restore(*, origin: Path, is_forced: bool, is_check: bool, is_json: bool, **places: str | None) -> None:
    """Let the data folder be what it was at the backup FROM (or the newest below it); every checksum is read before anything moves.

    \b
    Examples:
      packhouse restore /mnt/backup/packhouse --verify
      packhouse restore /mnt/backup/packhouse/20261124T031702Z --data /srv/packhouse/data
    """
    from warehouse.backup import open_backup
    from warehouse.folder import DataFolder
    from warehouse.restore import restore_backup, verify_backup

    settings, found = _settings(**places), open_backup(origin)
    made = (
        verify_backup(found) if is_check else restore_backup(DataFolder(settings.data), found, now=datetime.now(UTC), is_forced=is_forced)
    )
    _print_json(made.as_json()) if is_json else _tell(made.sentences())


@cli.group()
def catalog() -> None:
    """Look after the catalog, the four files that say what is harvested."""


@catalog.command()
@_catalog
@_as_json
def check(*, is_json: bool, **places: str | None) -> None:
    """Report every mistake in the catalog at once, with file, line and column; exit 2 when there is one.

    \b
    Example:
      packhouse catalog check --catalog ./catalog
    """
    from warehouse.catalog_files import load_catalog

    settings = _settings(**places)
    found = load_catalog(settings.catalog)
    counts = {
        "packages": len(found.entries),
        "categories": len(found.categories),
        "grids": len(found.grids),
        "grid_packages": len(found.memberships),
        "subjects": len(found.subjects),
    }
    if is_json:
        _print_json(counts)
    else:
        click.echo(
            f"{settings.catalog}: no mistakes. " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()) + "."
        )


@catalog.command(name="import")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option("--from", "kind", type=click.Choice(SOURCE_KINDS), help="What the sources are; without it each is told by name and content.")
@click.option("--into", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder of the catalog; made when missing.")
@click.option("--format", "style", type=click.Choice(["csv", "parquet"]), help="Format of the files (default: as they are, or csv).")
@click.option("--category", metavar="SLUG", help="Category of new packages; needed when the catalog has several.")
@click.option("--update", "is_update", is_flag=True, help="Add what is new to a catalog that is there; its rows stay as they are.")
@click.option("--no-urls", "has_urls", is_flag=True, default=True, flag_value=False, help="Do not ask PyPI; no repositories, no check.")
@click.option("--skip-invalid", "is_lenient", is_flag=True, help="Leave out what cannot be read, and say so.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Ask PyPI about the next N projects only; the rest comes next time.")
@click.option("--now", "fixed_now", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), hidden=True, help="A clock that stands still.")
@_as_json
def import_(*, kind: str | None, is_json: bool, **given: Any) -> None:
    """Make a catalog of the packages that SOURCEs name: files, - for stdin, or the address of a Django Packages API.

    Repositories are found by what PyPI says of each project. Every mistake is told at once with file and line; exit 2, nothing written.

    \b
    Examples:
      packhouse catalog import requirements.txt uv.lock --into ./catalog
      packhouse catalog import bom.cdx.json --into ./catalog --update --category apps
      packhouse catalog import https://djangopackages.org --into ./catalog
      packhouse catalog import --from pypi-index --into ./pypi --format parquet --limit 10000
    """
    from flows.import_options import ImportOptions
    from flows.importing import import_catalog
    from transforms.source_kinds import Kind

    done = import_catalog(ImportOptions(kind=Kind(kind) if kind else None, **given), _settings(), sys.stdin.buffer)
    for line in done.notes():
        _say(line)
    if is_json:
        _print_json(done.as_json())
    else:
        click.echo(done.sentence())
    sys.exit(done.exit_code)


@cli.command()
@click.option("--data", default="data-demo", show_default=True, metavar="FOLDER", help="Data folder of the demo.")
@_engine
def demo(*, data: str, engine: str) -> None:
    """Go the whole way on the sample catalog: harvest from a double of GitHub and PyPI on this machine, publish, query.

    \b
    Example:
      packhouse demo
    """
    from extractors.clock import FixedClock
    from flows.options import HarvestOptions
    from flows.running import run_harvest
    from sandbox.sample import sample_world
    from sandbox.server import running
    from transforms.payload import render
    from warehouse.folder import DataFolder
    from warehouse.publication import DATABASE
    from warehouse.readers import open_current, query
    from warehouse.rows import write_rows

    clock = FixedClock(DEMO_NOW)
    os.environ["GITHUB_TOKEN"] = "sandbox"  # noqa: S105 - the double takes any; a real token stays out of it
    with running(sample_world(), clock=clock.now) as services:
        overrides = {
            "data": data,
            "catalog": str(HERE / "catalog"),
            "github_api_url": services.github_url,
            "pypi_url": services.pypi_url,
            "base_url": "https://djangopackages.org",
            "time_zone": "America/New_York",
            "max_age": "20h",
        }
        settings = _settings(**overrides)
        report = run_harvest(HarvestOptions(fixed_now=DEMO_NOW, settings=overrides), settings, engine, _say)
    for line in report.sentences():
        _say(line)
    with open_current(DataFolder(settings.data)) as publication:
        sys.stdout.buffer.write(render(_payload(publication, DEMO_PACKAGE, settings), indent=4) + b"\n")
        sys.stdout.buffer.flush()
        _say(f"\nAbove: the record of {DEMO_PACKAGE}, with its true figures of 15 February 2026.")
        _say("Below: the other repositories' figures are sample figures; versions are PyPI's own, as recorded.\n")
        _say(DEMO_SQL + "\n")
        write_rows(query(publication, DEMO_SQL), "table", None)
        click.echo(f"\nThe database: {publication.path / DATABASE}")
        _say(f"Try:  .venv/bin/packhouse sql --data {data} 'from grid_packages'   or   .venv/bin/packhouse serve --data {data}")
    sys.exit(report.exit_code if report.exit_code == 1 else 0)  # the sample has stale packages on purpose


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      packhouse completion bash > ~/.local/share/bash-completion/completions/packhouse
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(cli, {}, "packhouse", "_PACKHOUSE_COMPLETE").source())


def _harvest_options(
    slugs: tuple[str, ...],
    *,
    full: bool,
    budget: int | None,
    max_age: str | None,
    fixed_now: datetime | None = None,
    **overrides: str | None,
) -> HarvestOptions:
    from flows.options import HarvestOptions

    _settings(max_age=max_age)  # a mistake in it is told as one in the settings
    given = {name: text for name, text in overrides.items() if text}
    return HarvestOptions(slugs=slugs, full=full, max_age=max_age or None, budget=budget, fixed_now=fixed_now, settings=given)


def _backfill_options(
    slugs: tuple[str, ...],
    since: datetime,
    until: datetime | None,
    *,
    full: bool,
    every: str | None,
    budget: int | None,
    fixed_now: datetime | None,
    **overrides: str | None,
) -> BackfillOptions:
    from flows.past_window import BackfillOptions

    last = until.date() if until else ((fixed_now or datetime.now(UTC)).astimezone(UTC) - timedelta(days=1)).date()
    given = {name: text for name, text in overrides.items() if text}
    return BackfillOptions(
        since=since.date(), until=last, slugs=slugs, full=full, every=every, budget=budget, fixed_now=fixed_now, settings=given
    )


def _print_plan(options: HarvestOptions, *, is_json: bool) -> None:
    from flows.forecast import describe_plan
    from flows.steps import preview

    settings = _settings(**options.settings)
    planned = preview(options, settings)
    if is_json:
        _print_json(planned.as_json())
    else:
        _tell(describe_plan(planned, has_token=settings.github_token is not None))


def _finish(report: RunReport | CompactionReport, *, is_json: bool) -> None:
    if is_json:
        _print_json(report.as_json())
    else:
        _tell(report.sentences())
    sys.exit(report.exit_code)


def _explain_record(slug: str, settings: Settings, *, is_json: bool) -> None:
    from flows.explaining import as_json, describe, explain
    from warehouse.folder import DataFolder
    from warehouse.readers import open_current

    with open_current(DataFolder(settings.data)) as publication:
        fields = explain(publication, _package(publication, slug), settings)
    if is_json:
        _print_json([as_json(item) for item in fields])
    else:
        _tell(describe(fields))


def _payload(publication: Any, slug: str, settings: Settings, as_of: datetime | None = None, *, hindsight: bool = False) -> dict[str, Any]:
    from transforms.payload import package_payload

    _refuse_hindsight_alone(as_of, hindsight=hindsight)
    row = _package(publication, slug) if as_of is None else _package_as_of(publication, slug, as_of, hindsight=hindsight)
    return package_payload(row, base_url=settings.base_url or "http://127.0.0.1:8000", zone=settings.time_zone)


def _package(publication: Any, slug: str) -> dict[str, Any]:
    row: dict[str, Any] | None
    row = publication.package(id=int(slug)) if slug.isascii() and slug.isdigit() else publication.package(slug=slug)
    if row is None:
        from difflib import get_close_matches

        near = get_close_matches(slug, [row["slug"] for row in publication.packages()], n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else " All slugs: packhouse sql 'select slug from packages'"
        raise click.ClickException(f"The publication has no package {slug!r}.{hint}")
    return row


def _refuse_hindsight_alone(as_of: datetime | None, *, hindsight: bool) -> None:
    if hindsight and as_of is None:
        raise click.UsageError("--hindsight is about an earlier time: name it with --as-of")


def _package_as_of(publication: Any, slug: str, at: datetime, *, hindsight: bool) -> dict[str, Any]:
    named = {"id": int(slug)} if slug.isascii() and slug.isdigit() else {"slug": slug}
    row: dict[str, Any] | None = (publication.package_in_hindsight if hindsight else publication.package_as_of)(at, **named)
    if row is None:
        raise click.ClickException(
            f"No package {slug!r} was published at {at:%Y-%m-%d %H:%M:%S} UTC. "
            "When there was something: packhouse sql 'from publications'; what was curated when: packhouse sql 'from package_entries'"
        )
    return row


def _explain(error: Exception) -> int | None:
    """Print what a declared error means and return the exit code; ``None`` for an error nobody declared."""
    from api.server import CannotServe
    from flows.engine import EngineUnavailable
    from flows.foreground import InvalidSchedule
    from flows.import_options import ImportRefused, ImportStopped
    from flows.past_runs import BackfillInterrupted
    from flows.past_window import InvalidWindow
    from flows.runs import UnknownPackages
    from flows.steps import HarvestInterrupted
    from settings import InvalidSettings
    from transforms.catalog import InvalidCatalog, format_mistakes
    from warehouse.errors import WarehouseError

    if isinstance(error, InvalidCatalog):
        _say(format_mistakes(error.mistakes), "error")
        return 2
    if isinstance(error, InvalidSettings | UnknownPackages | InvalidWindow | ImportRefused | InvalidSchedule):
        _say(str(error), "error")
        return 2
    if isinstance(error, WarehouseError | CannotServe | EngineUnavailable | HarvestInterrupted | BackfillInterrupted | ImportStopped):
        _say(str(error), "error")
        return 1
    return None


def main() -> None:
    """Run the command line and exit."""
    try:
        code = cli(standalone_mode=False, prog_name="packhouse")
    except click.ClickException as error:
        error.show()
        code = 2 if isinstance(error, click.UsageError) else 1
    except (click.Abort, KeyboardInterrupt):
        _say("Interrupted; the last good publication is intact.")
        code = 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away; that is no fault
        code = 0
    except Exception as error:
        known = _explain(error)
        if known is None:
            raise
        code = known
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
