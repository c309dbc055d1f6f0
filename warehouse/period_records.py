"""What each package was in each period somebody asked for (``backfill --every``): made anew from the kept days at every publication.

A count is null unless every day of the period is known, and retained stars add up only where they are known from the repository's
creation on. Versions are those that stand in the newest listing, by their upload time: what was yanked or deleted since does not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pyarrow as pa

from warehouse.store import Store

_PERIODS = pa.schema([("period", pa.string()), ("period_from_on", pa.date32()), ("period_end_on", pa.date32())])

_FORGET = "DELETE FROM store.main.period_records"

_MAKE = """
INSERT INTO store.main.period_records BY NAME
WITH shown AS (
    SELECT id AS package_id, slug, 'github:' || repo_id AS series, project FROM shown_packages
), framed AS (
    SELECT s.*, p.* FROM shown s CROSS JOIN asked_periods p
), covered AS (
    SELECT f.package_id, f.period, f.period_end_on,
        sum(least(r.until_on, f.period_end_on) - greatest(r.from_on, f.period_from_on) + 1) AS days_count
    FROM framed f JOIN store.main.commit_reach r
        ON r.series = f.series AND r.from_on <= f.period_end_on AND r.until_on >= f.period_from_on
    GROUP BY ALL
), committed AS (
    SELECT f.package_id, f.period, f.period_end_on, sum(d.commits_count) AS commits_count
    FROM framed f JOIN store.main.commit_days d ON d.series = f.series AND d.authored_on BETWEEN f.period_from_on AND f.period_end_on
    GROUP BY ALL
), standing AS (
    SELECT *, CAST(released_at AS DATE) AS released_on FROM store.main.releases WHERE ended_at IS NULL
), released AS (
    SELECT f.package_id, f.period, f.period_end_on,
        count(*) FILTER (r.released_on >= f.period_from_on) AS releases_count,
        arg_max(r.version, r.position) FILTER (NOT r.is_yanked AND NOT r.is_legacy AND NOT r.is_prerelease) AS latest_version
    FROM framed f JOIN standing r ON r.project = f.project AND r.released_on <= f.period_end_on
    GROUP BY ALL
), born AS (
    SELECT series, CAST(max(repo_created_at) AS DATE) AS created_on FROM store.main.repo_observations GROUP BY series
), added AS (
    SELECT d.series, d.starred_on, d.starred_on - b.created_on + 1 AS days_count,
        sum(d.retained_count) OVER so_far AS retained_stars_count, count(*) OVER so_far AS told_count
    FROM store.main.star_days d JOIN born b ON b.series = d.series AND d.starred_on >= b.created_on
    WHERE d.series IN (SELECT series FROM shown)
    WINDOW so_far AS (PARTITION BY d.series ORDER BY d.starred_on)
)
SELECT f.package_id, f.slug, f.period, f.period_from_on, f.period_end_on,
    CASE WHEN v.days_count = f.period_end_on - f.period_from_on + 1 THEN CAST(coalesce(c.commits_count, 0) AS BIGINT) END AS commits_count,
    CASE WHEN l.project IS NOT NULL THEN coalesce(r.releases_count, 0) END AS releases_count,
    r.latest_version, CAST(s.retained_stars_count AS BIGINT) AS retained_stars_count
FROM framed f
LEFT JOIN covered v USING (package_id, period, period_end_on)
LEFT JOIN committed c USING (package_id, period, period_end_on)
LEFT JOIN released r USING (package_id, period, period_end_on)
LEFT JOIN added s ON s.series = f.series AND s.starred_on = f.period_end_on AND s.told_count = s.days_count
LEFT JOIN store.main.listings l ON l.project = f.project
"""


def make_period_records(store: Store, packages: pa.Table, periods: Iterable[tuple[str, date, date]]) -> None:
    """Make the table ``period_records`` anew for these packages and periods (kind, first and last day); hold the folder's lock."""
    asked = pa.Table.from_pylist([dict(zip(_PERIODS.names, period, strict=True)) for period in sorted(set(periods))], schema=_PERIODS)
    with store.writing() as connection:
        connection.execute(_FORGET)
        if not asked.num_rows:
            return
        connection.register("asked_periods", asked)
        connection.register("shown_packages", packages.select(["id", "slug", "repo_id", "project"]))
        connection.execute(_MAKE)
        connection.unregister("asked_periods")
        connection.unregister("shown_packages")
