"""What the records were at any time, as SQL that every publication carries: the macros ``packages_as_of`` and ``payload_as_of``.

They are built from nothing but what was known then. The *moment* is that of the publication which was the current one at the time
asked for; of every history the row counts that was confirmed last by then, where sightings tell what its ``confirmed_at`` was. The
rules are those of ``transforms/records.py`` and ``transforms/states.py``: at the moment of a publication the macro gives its table
``packages``, cell by cell. No macro reads a clock or the session's time zone.
"""

from __future__ import annotations

from collections.abc import Mapping

from transforms.payload import API_PATH, NEVER_NULL, PACKAGE_COLUMNS
from transforms.schemas import FACET_TABLES, INSTANT, PACKAGES
from transforms.states import GONE_AFTER, GONE_AFTER_SIGHTINGS
from warehouse.database import fill
from warehouse.history import GOOD
from warehouse.sightings import SEEN

# Column of a facet's history -> name under which it goes on; those of ``packages`` among them.
VALUES: Mapping[str, Mapping[str, str]] = {
    "repo": {
        "repo_id": "repo_id",
        "full_name": "repo_full_name",
        "description": "repo_description",
        "stars_count": "stars_count",
        "watchers_count": "watchers_count",
        "forks_count": "forks_count",
        "is_archived": "is_archived",
        "license": "repo_license",
        "pushed_at": "pushed_at",
    },
    "head": {"last_commit_at": "last_commit_at", "head_oid": "head_oid"},
    "weeks": {
        "weeks": "read_weeks",
        "read_on": "read_on",
        "weeks_source": "weeks_source",
        "weeks_head_oid": "weeks_head_oid",
        "days_on": "days_on",
        "day_counts": "day_counts",
    },
    "participants": {
        "logins": "logins",
        "participants_source": "participants_source",
        "participants_head_oid": "participants_head_oid",
    },
    "project": {
        "latest_version": "latest_version",
        "latest_released_at": "latest_released_at",
        "is_latest_yanked": "is_latest_yanked",
        "is_latest_prerelease": "is_latest_prerelease",
        "summary": "summary",
        "requires_python": "requires_python",
        "license": "project_license",
        "documentation_url": "project_documentation_url",
        "releases_count": "releases_count",
    },
    "status": {"project_status": "project_status"},
}
HERE = "main"  # of whichever database the macros are in
REPO_FACETS = ("repo", "head", "weeks", "participants")

_MOMENT = """moment AS MATERIALIZED (
    SELECT published_at, as_of_at, coalesce(max_age_seconds, 72000) AS max_age_seconds FROM $schema.publications
    WHERE published_at <= $ts AND is_hindsight IS NOT TRUE ORDER BY published_at DESC LIMIT 1
), seen AS MATERIALIZED (
    SELECT facet, subject, series, seen_at FROM ($seen) WHERE seen_at IS NOT NULL
)"""

# The rows of one history that were known at the moment, with confirmed_at and sighting_count as they were then; their values are fetched
# by key once it is known which rows count.
_ROWS = """${facet}_missed AS MATERIALIZED (
    SELECT r.series, r.observed_at, k.number FROM $schema.$table r CROSS JOIN moment m
    JOIN $schema.sighted_series k ON k.series = r.series AND k.facet = '$facet'
    WHERE r.outcome = 'missing' AND r.observed_at <= m.as_of_at AND r.confirmed_at > m.as_of_at
), ${facet}_rows AS MATERIALIZED (
    SELECT t.series, t.observed_at, t.outcome,
        CASE WHEN t.confirmed_at <= m.as_of_at THEN t.confirmed_at ELSE greatest(t.observed_at, s.seen_at$held) END AS confirmed_at,
        CASE WHEN t.confirmed_at <= m.as_of_at THEN t.sighting_count ELSE n.runs_count END AS sighting_count$kept
    FROM $schema.$table t CROSS JOIN moment m
    LEFT JOIN (SELECT series, max(seen_at) AS seen_at FROM seen WHERE facet = '$facet' GROUP BY series) s ON s.series = t.series
    LEFT JOIN (
        SELECT r.series, r.observed_at, count(DISTINCT g.run_id) AS runs_count
        FROM ${facet}_missed r JOIN $schema.sighting_spans g ON g.facet = '$facet' AND g.seen_at >= r.observed_at
            AND r.number BETWEEN g.first_number AND g.last_number
        WHERE g.seen_at <= (SELECT as_of_at FROM moment) GROUP BY ALL
    ) n ON n.series = t.series AND n.observed_at = t.observed_at$heads
    WHERE t.observed_at <= m.as_of_at
)"""
_HEADS = """
    LEFT JOIN (
        SELECT series, head_oid, max(confirmed_at) AS held_at FROM head_rows WHERE outcome = 'ok' GROUP BY ALL
    ) h ON h.series = t.series AND h.head_oid = t.$head_oid AND t.$value IS NOT NULL"""
# The day weeks end on moves while they are said again.
_READ_ON = """,
        CASE WHEN t.confirmed_at <= m.as_of_at THEN t.weeks_end_on
        ELSE least(t.weeks_end_on, (greatest(t.observed_at, s.seen_at) AT TIME ZONE 'UTC')::DATE) END AS read_on"""

_FOLLOWED = """stood AS (
    SELECT subject, arg_max(series, row(seen_at, facet = 'repo')) AS series FROM seen GROUP BY subject
), named AS (
    SELECT lower('github:' || full_name) AS subject, series, confirmed_at FROM repo_rows WHERE outcome IN $good
    QUALIFY row_number() OVER (PARTITION BY series ORDER BY confirmed_at DESC, observed_at DESC) = 1
), standing AS (
    FROM stood
    UNION ALL
    SELECT subject, arg_max(series, confirmed_at) FROM named WHERE subject NOT IN (SELECT subject FROM stood) GROUP BY subject
), followed AS MATERIALIZED (
    SELECT subject, series, series AS written FROM standing
    UNION
    SELECT c.subject, c.series, c.subject FROM standing c
    WHERE NOT EXISTS (FROM seen k WHERE k.subject = c.subject AND k.series <> c.subject AND k.series <> c.series)
)"""

_KNOWN = """${facet}_newest AS (
    SELECT f.subject, r.outcome AS ${facet}_outcome, r.observed_at AS ${facet}_first_at, r.confirmed_at AS ${facet}_last_at,
        r.sighting_count AS ${facet}_sightings
    FROM ${facet}_rows r JOIN followed f ON f.written = r.series
    QUALIFY row_number() OVER (PARTITION BY f.subject ORDER BY r.confirmed_at DESC, r.observed_at DESC) = 1
), ${facet}_best AS (
    SELECT f.subject, r.* FROM ${facet}_rows r JOIN followed f ON f.written = r.series WHERE r.outcome IN $good
    QUALIFY row_number() OVER (PARTITION BY f.subject ORDER BY r.confirmed_at DESC, r.observed_at DESC) = 1
), ${facet}_good AS (
    SELECT r.subject, r.outcome AS ${facet}_good_outcome, r.confirmed_at AS ${facet}_good_at, $values
    FROM ${facet}_best r JOIN $table t ON t.series = r.series AND t.observed_at = r.observed_at
)"""

_JOINED = """entries AS (
    SELECT e.* FROM package_entries e, moment m
    WHERE e.known_at <= m.published_at AND (e.ended_at IS NULL OR e.ended_at > m.published_at)
), grid_lists AS (
    SELECT package_id, list(grid_id ORDER BY grid_id) AS grid_ids, list(g.grid ORDER BY grid_id) AS grids
    FROM grid_package_entries g, moment m
    WHERE g.known_at <= m.published_at AND (g.ended_at IS NULL OR g.ended_at > m.published_at) GROUP BY package_id
), joined AS (
    SELECT e.* EXCLUDE (known_at, ended_at, documentation_url), e.documentation_url AS curated_documentation_url,
        coalesce(l.grid_ids, []) AS grid_ids, coalesce(l.grids, []) AS grids, m.as_of_at, m.max_age_seconds,
        e.repo_url IS NOT NULL AS has_repo, e.repo_subject IS NOT NULL AS is_harvested, e.project IS NOT NULL AS has_project,
        $facet_columns
    FROM entries e CROSS JOIN moment m LEFT JOIN grid_lists l ON l.package_id = e.id $facet_joins
)"""

# What was read at a head is confirmed with it; GitHub's own 52 numbers hold for one day.
_CONFIRMED = """held AS (
    SELECT *, coalesce(
            head_oid = weeks_head_oid AND (days_on IS NOT NULL OR (head_good_at AT TIME ZONE 'UTC')::DATE = read_on), false
        ) AS weeks_held,
        coalesce(head_oid = participants_head_oid, false) AS participants_held
    FROM joined
), confirmed AS (
    SELECT * REPLACE (
        CASE WHEN weeks_held THEN greatest(weeks_good_at, head_good_at) ELSE weeks_good_at END AS weeks_good_at,
        CASE WHEN weeks_held AND head_good_at > weeks_good_at THEN head_good_at ELSE weeks_last_at END AS weeks_last_at,
        CASE WHEN weeks_held THEN weeks_good_outcome ELSE weeks_outcome END AS weeks_outcome,
        CASE WHEN participants_held THEN greatest(participants_good_at, head_good_at) ELSE participants_good_at END
            AS participants_good_at,
        CASE WHEN participants_held AND head_good_at > participants_good_at THEN head_good_at ELSE participants_last_at END
            AS participants_last_at,
        CASE WHEN participants_held THEN participants_good_outcome ELSE participants_outcome END AS participants_outcome
    ) FROM held
), shifted AS MATERIALIZED (
    SELECT id, (weeks_good_at AT TIME ZONE 'UTC')::DATE AS ends_on, days_on, day_counts FROM confirmed
    WHERE days_on IS NOT NULL AND (weeks_good_at AT TIME ZONE 'UTC')::DATE > read_on
), counted AS (
    SELECT id, 51 - ((ends_on - authored_on - 1) // 7) AS place, sum(commits_count) AS commits_count
    FROM (SELECT id, ends_on, unnest(days_on) AS authored_on, unnest(day_counts) AS commits_count FROM shifted)
    WHERE ends_on - authored_on BETWEEN 1 AND 364 GROUP BY ALL
), windows AS (
    SELECT s.id, s.ends_on, list(coalesce(c.commits_count, 0)::INTEGER ORDER BY w.place) AS weeks
    FROM shifted s CROSS JOIN (SELECT unnest(range(52)) AS place) w LEFT JOIN counted c ON c.id = s.id AND c.place = w.place GROUP BY ALL
)"""

_STATE = """CASE
    WHEN NOT $has_source THEN NULL
    WHEN NOT $is_supported THEN 'unsupported'
    $inherited
    WHEN ${facet}_outcome = 'blocked' THEN 'blocked'
    WHEN ${facet}_outcome = 'missing' AND ${facet}_sightings >= $gone_sightings
        AND epoch_us(${facet}_last_at) - epoch_us(${facet}_first_at) >= $gone_after THEN 'gone'
    WHEN ${facet}_outcome = 'unsupported' THEN 'unsupported'
    WHEN ${facet}_good_outcome IS NULL THEN 'pending'
    WHEN ${facet}_outcome = 'pending' AND epoch_us(${facet}_good_at) >= epoch_us(as_of_at) - 2000000 * max_age_seconds THEN 'pending'
    WHEN ${facet}_outcome NOT IN $good THEN 'stale'
    WHEN epoch_us(${facet}_good_at) < epoch_us(as_of_at) - 2000000 * max_age_seconds THEN 'stale'
    WHEN ${facet}_good_outcome = 'capped' THEN 'capped'
    WHEN $is_derived THEN 'shifted'
    ELSE 'ok'
END AS ${facet}_state"""
_INHERITED = "WHEN repo_state IN ('gone', 'blocked') THEN repo_state"

_RECORDS = """stated AS (
    SELECT c.*, w.ends_on AS shifted_on, w.weeks AS shifted_weeks,
        $repo_state,
        $head_state,
        $weeks_state,
        $participants_state,
        $project_state
    FROM confirmed c LEFT JOIN windows w ON w.id = c.id
), records AS (
    SELECT *,
        repo_good_at AS repo_observed_at, head_good_at AS head_observed_at, weeks_good_at AS weeks_observed_at,
        participants_good_at AS participants_observed_at, project_good_at AS project_observed_at,
        CASE
            WHEN coalesce(is_harvested AND repo_state <> 'unsupported' AND repo_good_at IS NULL, false)
                OR coalesce(is_harvested AND head_state <> 'unsupported' AND head_good_at IS NULL, false)
                OR coalesce(is_harvested AND weeks_state <> 'unsupported' AND weeks_good_at IS NULL, false)
                OR coalesce(is_harvested AND participants_state <> 'unsupported' AND participants_good_at IS NULL, false)
                OR coalesce(has_project AND project_state <> 'unsupported' AND project_good_at IS NULL, false)
            THEN NULL ELSE least(repo_good_at, head_good_at, weeks_good_at, participants_good_at, project_good_at)
        END AS fetched_at,
        coalesce(curated_documentation_url, project_documentation_url) AS documentation_url,
        coalesce(project_license, repo_license) AS license,
        coalesce(shifted_weeks, read_weeks, []) AS weeks, coalesce(shifted_on, read_on) AS weeks_end_on,
        coalesce(logins, []) AS participants, len(logins) AS participants_count,
        (epoch_us(last_commit_at) - epoch_us(latest_released_at)) // 86400000000 AS release_lag_days
    FROM stated
)"""

_PACKAGES = "CREATE MACRO $catalog.main.packages_as_of(ts) AS TABLE WITH $steps SELECT $columns FROM records ORDER BY id"

# As Django REST framework prints them: links by id, times in a zone with its offset, text as it is.
_PAYLOAD = """
CREATE MACRO $catalog.main.$name(wanted, ts, base_url := 'http://127.0.0.1:8000', time_zone := 'America/New_York') AS TABLE
SELECT replace(replace(to_json({
    $fields
})::VARCHAR, chr(8232), '\\u2028'), chr(8233), '\\u2029') AS payload
FROM $records(ts) WHERE slug = wanted
"""
_TIME = """strftime(timezone(time_zone, $column), '%Y-%m-%dT%H:%M:%S') ||
        CASE WHEN epoch_us($column) % 1000000 = 0 THEN '' ELSE strftime($column, '.%f') END ||
        CASE WHEN timezone(time_zone, $column) = timezone('UTC', $column) THEN 'Z' ELSE
            CASE WHEN timezone(time_zone, $column) < timezone('UTC', $column) THEN '-' ELSE '+' END ||
            strftime(TIMESTAMP '2000-01-01' + to_microseconds(abs(epoch_us(timezone(time_zone, $column)) - epoch_us($column))), '%H:%M')
        END"""


def as_of_macros(catalog: str) -> list[str]:
    """The statements that make both macros in an attached database that has the tables of a publication."""
    columns = ", ".join(PACKAGES.names)
    return [
        fill(_PACKAGES, catalog=catalog, steps=",\n".join(_steps()), columns=columns),
        payload_macro(catalog, "payload_as_of", "packages_as_of"),
    ]


def payload_macro(catalog: str, name: str, records: str) -> str:
    """The statement that makes a macro which spells one record of the macro ``records`` as v4 does."""
    fields = ",\n    ".join(f"'{field}': {_spelt(column)}" for field, column in PACKAGE_COLUMNS.items())
    return fill(_PAYLOAD, catalog=catalog, name=name, records=records, fields=fields)


def _spelt(column: str) -> str:
    if column == "category_id":
        return f"base_url || '{API_PATH}categories/' || {column} || '/'"
    if column == "grid_ids":
        return f"list_transform({column}, lambda g: base_url || '{API_PATH}grids/' || g || '/')"
    if PACKAGES.schema.field(column).type == INSTANT:
        return fill(_TIME, column=column)
    return f"coalesce({column}, '')" if column in NEVER_NULL else column


def known_rows(facet: str, schema: str) -> str:
    """A query with one parameter, a time: the rows of a facet's history in ``schema`` as they were known at its moment."""
    facets = ("head", facet) if facet in ("weeks", "participants") else (facet,)
    steps = [_moment(schema, "(SELECT ts FROM asked)"), *[_rows(each, schema) for each in facets]]
    then = {"confirmed_at": "r.confirmed_at", "sighting_count": "r.sighting_count", "weeks_end_on": "r.read_on AS weeks_end_on"}
    columns = ", ".join(then.get(name, f"t.{name}") for name in FACET_TABLES[facet].names)
    asked = "asked AS (SELECT ?::TIMESTAMPTZ AS ts)"
    table = f"{schema}.{FACET_TABLES[facet].name}"
    rows = f"{facet}_rows r JOIN {table} t ON t.series = r.series AND t.observed_at = r.observed_at"
    return f"WITH {', '.join([asked, *steps])} SELECT {columns} FROM {rows}"  # noqa: S608 - names of schemas.py


def _steps() -> list[str]:
    return [
        _moment(HERE, "ts"),
        *[_rows(facet, HERE) for facet in FACET_TABLES],
        fill(_FOLLOWED, good=GOOD),
        *[_known(facet) for facet in FACET_TABLES],
        _joined(),
        _CONFIRMED,
        fill(_RECORDS, **{f"{facet}_state": _state(facet) for facet in (*REPO_FACETS, "project")}),
    ]


def _moment(schema: str, ts: str) -> str:
    seen = fill(SEEN, home=f"{schema}.", until="(SELECT as_of_at FROM moment)")
    return fill(_MOMENT, schema=schema, ts=ts, seen=seen)


def _rows(facet: str, schema: str) -> str:
    held = {"weeks": ("weeks_head_oid", "days_on"), "participants": ("participants_head_oid", "logins")}.get(facet)
    return fill(
        _ROWS,
        facet=facet,
        table=FACET_TABLES[facet].name,
        schema=schema,
        held=", h.held_at" if held else "",
        heads=fill(_HEADS, head_oid=held[0], value=held[1]) if held else "",
        kept={"repo": ", t.full_name", "head": ", t.head_oid", "weeks": _READ_ON}.get(facet, ""),
    )


def _known(facet: str) -> str:
    values = ", ".join(f"{'r' if column == 'read_on' else 't'}.{column} AS {name}" for column, name in VALUES[facet].items())
    return fill(_KNOWN, facet=facet, table=f"{HERE}.{FACET_TABLES[facet].name}", good=GOOD, values=values)


def _joined() -> str:
    columns, joins = [], []
    for facet, values in VALUES.items():
        subject = "e.repo_subject" if facet in REPO_FACETS else "'pypi:' || e.project"
        columns += [f"{facet}_newest.{facet}_{name}" for name in ("outcome", "first_at", "last_at", "sightings")]
        columns += [f"{facet}_good.{facet}_{name}" for name in ("good_outcome", "good_at")]
        columns += [f"{facet}_good.{name}" for name in values.values()]
        joins += [f"LEFT JOIN {facet}_{kind} ON {facet}_{kind}.subject = {subject}" for kind in ("newest", "good")]
    return fill(_JOINED, facet_columns=", ".join(columns), facet_joins=" ".join(joins))


def _state(facet: str) -> str:
    derived = {"weeks": "w.id IS NOT NULL", "participants": "coalesce(participants_source = 'history', false)"}
    is_project = facet == "project"
    return fill(
        _STATE,
        facet=facet,
        has_source="has_project" if is_project else "has_repo",
        is_supported="has_project" if is_project else "is_harvested",
        inherited="" if facet in ("repo", "project") else _INHERITED,
        is_derived=derived.get(facet, "false"),
        good=GOOD,
        gone_sightings=str(GONE_AFTER_SIGHTINGS),
        gone_after=str(GONE_AFTER.days * 86_400_000_000),
    )
