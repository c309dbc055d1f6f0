"""The columns of every public table: name, Arrow type, meaning. The one place where a table's shape is decided.

``warehouse`` makes DDL and COMMENTs from these, ``transforms`` builds Arrow tables with them, the data dictionary repeats
them. Names carry a unit (``_at`` aware UTC microseconds, ``_on`` date, ``_count``, ``_days``, ``_url``, ``is_``).
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

INSTANT = pa.timestamp("us", tz="UTC")
TEXTS = pa.list_(pa.string())
WEEKS = pa.list_(pa.int32())


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, Arrow type, one sentence for its COMMENT."""

    name: str
    type: pa.DataType
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: name, one sentence for its COMMENT, key columns, columns in order."""

    name: str
    comment: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema; every column nullable but the key's."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.name not in self.key) for c in self.columns])

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


# Every history table begins with these. A row says what one source said of one subject, from when and until when it
# was confirmed. `outcome` tells what kind of answer it was; values are set only where outcome is ok or capped.
HISTORY = (
    Column("series", pa.string(), "Identity the history follows: github:<forge id> once known, else the subject; pypi:<name>."),
    Column("observed_at", INSTANT, "When this was first said."),
    Column("confirmed_at", INSTANT, "When it was last said again without change."),
    Column("sighting_count", pa.int64(), "In how many runs it was said."),
    Column("subject", pa.string(), "What was asked about: github:owner/name or pypi:name, in lower case."),
    Column("outcome", pa.string(), "ok, capped, empty, pending, missing, blocked, refused, unsupported, limited, failed or invalid."),
    Column("detail", pa.string(), "Why the outcome is not ok, in words; null when it is."),
    Column("run_id", pa.string(), "The run that observed it first."),
    Column("source_url", pa.string(), "The address that answered, below the service's own."),
)


def _history(name: str, comment: str, *values: Column) -> Table:
    return Table(name=name, comment=comment, key=("series", "observed_at"), columns=HISTORY + values)


REPO_OBSERVATIONS = _history(
    "repo_observations",
    "What the forge said of a repository, one row per change.",
    Column("repo_id", pa.int64(), "The forge's numeric id; survives renames and transfers."),
    Column("node_id", pa.string(), "The forge's GraphQL id."),
    Column("full_name", pa.string(), "owner/name as the forge spells it."),
    Column("description", pa.string(), "Description; empty when the repository has none."),
    Column("homepage_url", pa.string(), "Homepage named on the forge."),
    Column("stars_count", pa.int64(), "Stargazers; the payload calls it repo_watchers."),
    Column("watchers_count", pa.int64(), "People notified of activity (GitHub's subscribers_count)."),
    Column("forks_count", pa.int64(), "Forks."),
    Column("default_branch", pa.string(), "Name of the default branch."),
    Column("license", pa.string(), "SPDX identifier the forge detected."),
    Column("is_archived", pa.bool_(), "Archived, hence read-only."),
    Column("is_disabled", pa.bool_(), "Disabled by the forge."),
    Column("is_fork", pa.bool_(), "A fork of another repository."),
    Column("is_private", pa.bool_(), "Private; visible to this token only."),
    Column("repo_created_at", INSTANT, "When the repository was created."),
    Column("pushed_at", INSTANT, "Last push to any branch."),
)

HEAD_OBSERVATIONS = _history(
    "head_observations",
    "The newest commit on the default branch, one row per change.",
    Column("head_oid", pa.string(), "Hash of the commit."),
    Column("last_commit_at", INSTANT, "Its committer date; the payload calls it last_updated."),
    Column("authored_at", INSTANT, "Its author date."),
)

WEEK_OBSERVATIONS = _history(
    "week_observations",
    "Commits of the last 52 weeks, one row per change.",
    Column("weeks", WEEKS, "52 counts, oldest first: 7-day windows by author date, merges counted."),
    Column("weeks_end_on", pa.date32(), "The windows end at the UTC midnight that begins this day."),
    Column("weeks_source", pa.string(), "Where the series came from: history (commits by day) or participation (GitHub's own 52 numbers)."),
    Column("weeks_head_oid", pa.string(), "The newest commit the series speaks of; it holds as long as that is the newest."),
    Column("days_on", pa.list_(pa.date32()), "UTC days with commits, by author date, oldest first; null for GitHub's own numbers."),
    Column("day_counts", pa.list_(pa.int32()), "Commits of each of those days, in the same order."),
)

PARTICIPANT_OBSERVATIONS = _history(
    "participant_observations",
    "Who has committed, one row per change of the list.",
    Column("logins", TEXTS, "Logins in the forge's order, most commits first, no duplicates."),
    Column("commit_counts", pa.list_(pa.int64()), "Commits of each login, in the same order."),
    Column("participants_head_oid", pa.string(), "The newest commit the list speaks of, where known."),
    Column("participants_source", pa.string(), "contributors (GitHub's list) or history (that list, carried on with the commits since)."),
    Column("listed_at", INSTANT, "When GitHub itself last gave the list."),
)

PROJECT_OBSERVATIONS = _history(
    "project_observations",
    "What PyPI said of a project, one row per change.",
    Column("project_name", pa.string(), "The name as the project spells it."),
    Column("latest_version", pa.string(), "PyPI's own latest: newest stable release not yanked, else the next best."),
    Column("latest_released_at", INSTANT, "Upload time of the first file of that release; null when it has no files."),
    Column("is_latest_yanked", pa.bool_(), "That release is yanked, hence all are."),
    Column("is_latest_prerelease", pa.bool_(), "That release is a pre-release by PEP 440, hence no stable one is left."),
    Column("summary", pa.string(), "One-line summary."),
    Column("requires_python", pa.string(), "Requires-Python of the latest release, as declared."),
    Column("license", pa.string(), "SPDX expression, else licence classifier, else a short free text."),
    Column("documentation_url", pa.string(), "The project's own documentation link."),
    Column("homepage_url", pa.string(), "The project's own homepage link."),
    Column("repository_url", pa.string(), "The project's own source link."),
    Column("classifiers", TEXTS, "Trove classifiers of the latest release."),
    Column("releases_count", pa.int64(), "Releases listed, yanked ones and those without files included."),
    Column("serial", pa.int64(), "PyPI's serial of the answer."),
)

STATUS_OBSERVATIONS = _history(
    "status_observations",
    "The status of a project on PyPI (PEP 792), one row per change.",
    Column("project_status", pa.string(), "active, archived, quarantined or deprecated."),
    Column("status_reason", pa.string(), "Why, where the index says so."),
    Column("files_count", pa.int64(), "Files the index lists."),
)

RELEASES = Table(
    name="releases",
    comment="Every release PyPI listed for a project, one row per change of a release.",
    key=("project", "version", "observed_at"),
    columns=(
        Column("project", pa.string(), "PEP 503 name of the project."),
        Column("version", pa.string(), "Version as uploaded; legacy spellings survive."),
        Column("observed_at", INSTANT, "When the release was first seen so."),
        Column("ended_at", INSTANT, "When it was first seen otherwise or not at all; null while it stands."),
        Column("position", pa.int64(), "Rank within the project, 1 is the lowest version: PEP 440 order, legacy versions first."),
        Column("is_legacy", pa.bool_(), "The version is not PEP 440."),
        Column("is_prerelease", pa.bool_(), "Pre-release or development release by PEP 440; null for legacy versions."),
        Column("is_yanked", pa.bool_(), "Withdrawn by its maintainers."),
        Column("yanked_reason", pa.string(), "Their reason."),
        Column("released_at", INSTANT, "Upload time of its first file; null when it has no files."),
        Column("files_count", pa.int64(), "Files of the release."),
        Column("size_bytes", pa.int64(), "Size of all its files."),
        Column("requires_python", pa.string(), "Requires-Python as declared by its files."),
        Column("run_id", pa.string(), "The run that observed it."),
    ),
)

COMMIT_DAYS = Table(
    name="commit_days",
    comment="Commits by day on the default branch, as far back as they were ever read, one row per day with commits.",
    key=("series", "authored_on"),
    columns=(
        Column("series", pa.string(), "Identity the history follows."),
        Column("subject", pa.string(), "github:owner/name, in lower case."),
        Column("authored_on", pa.date32(), "UTC day of the author date."),
        Column("commits_count", pa.int64(), "Commits authored on that day, merges counted, as last read."),
    ),
)

COMMIT_REACH = Table(
    name="commit_reach",
    comment="Which days commit_days knows, in spans that do not overlap: a day in a span without a row had no commits, others are unknown.",
    key=("series", "from_on"),
    columns=(
        Column("series", pa.string(), "Identity the history follows."),
        Column("from_on", pa.date32(), "First UTC day known."),
        Column("until_on", pa.date32(), "Last UTC day known; whole days only."),
        Column("observed_at", INSTANT, "When these days were last read, or seen to hold because the newest commit was the same."),
    ),
)

# On its way into those two, not kept itself: what one answer about a window of the past says.
COMMIT_READINGS = Table(
    name="commit_readings",
    comment="Commits by day of one window, read whole.",
    key=("series", "observed_at"),
    columns=(
        Column("series", pa.string(), "Identity the history follows."),
        Column("subject", pa.string(), "github:owner/name, in lower case."),
        Column("from_on", pa.date32(), "First UTC day read."),
        Column("until_on", pa.date32(), "Last UTC day read."),
        Column("observed_at", INSTANT, "When the newest commit was seen from which it was read."),
        Column("days_on", pa.list_(pa.date32()), "Days with commits, oldest first."),
        Column("day_counts", pa.list_(pa.int32()), "Commits of each of those days, in the same order."),
    ),
)

STAR_DAYS = Table(
    name="star_days",
    comment="Retained stars by the day they were given: those still held when asked, hence never a past total. One row per day told.",
    key=("series", "starred_on"),
    columns=(
        Column("series", pa.string(), "Identity the history follows."),
        Column("subject", pa.string(), "github:owner/name, in lower case."),
        Column("starred_on", pa.date32(), "The day as GitHub cuts it, which need not be UTC's."),
        Column("retained_count", pa.int64(), "Stars given on that day and not taken back since; a lower bound of those given."),
        Column("observed_at", INSTANT, "When GitHub said so last."),
        Column("run_id", pa.string(), "The run that observed it."),
    ),
)

PERIOD_RECORDS = Table(
    name="period_records",
    comment="What a package was in each period a backfill was asked for (--every), by what is known now, one row per package and period.",
    key=("package_id", "period", "period_end_on"),
    columns=(
        Column("package_id", pa.int64(), "packages.id."),
        Column("slug", pa.string(), "Short name of the package."),
        Column("period", pa.string(), "day, week (Monday to Sunday) or month."),
        Column("period_from_on", pa.date32(), "First UTC day of the period."),
        Column("period_end_on", pa.date32(), "Its last day."),
        Column("commits_count", pa.int64(), "Commits authored in the period; null unless each of its days is known."),
        Column("releases_count", pa.int64(), "Releases uploaded in the period and still listed; null without a listing."),
        Column("latest_version", pa.string(), "Highest stable version uploaded by its end, of those still listed and not yanked."),
        Column(
            "retained_stars_count",
            pa.int64(),
            "Retained stars given by its end; null unless they are known from the repository's creation on.",
        ),
    ),
)

CATEGORIES = Table(
    name="categories",
    comment="Categories of the catalog, as curated.",
    key=("id",),
    columns=(
        Column("id", pa.int64(), "Identifier in the API."),
        Column("title", pa.string(), "Title."),
        Column("slug", pa.string(), "Short name, unique."),
        Column("description", pa.string(), "Description."),
        Column("title_plural", pa.string(), "Plural of the title."),
        Column("show_pypi", pa.bool_(), "Whether packages of this category are expected on PyPI."),
        Column("created_at", INSTANT, "When the entry was created."),
        Column("modified_at", INSTANT, "When the entry was last edited."),
    ),
)

GRIDS = Table(
    name="grids",
    comment="Comparison grids of the catalog, as curated.",
    key=("id",),
    columns=(
        Column("id", pa.int64(), "Identifier in the API."),
        Column("title", pa.string(), "Title."),
        Column("slug", pa.string(), "Short name, unique."),
        Column("description", pa.string(), "Description."),
        Column("is_locked", pa.bool_(), "Closed to edits."),
        Column("header", pa.bool_(), "Shown in the header of the site."),
        Column("created_at", INSTANT, "When the entry was created."),
        Column("modified_at", INSTANT, "When the entry was last edited."),
    ),
)

GRID_PACKAGES = Table(
    name="grid_packages",
    comment="Which packages stand in which grid, as curated.",
    key=("grid_id", "package_id"),
    columns=(
        Column("grid_id", pa.int64(), "grids.id."),
        Column("package_id", pa.int64(), "packages.id."),
        Column("grid", pa.string(), "Slug of the grid."),
        Column("package", pa.string(), "Slug of the package."),
    ),
)

# When the curated entries said so: each version of the catalog that was in force is kept, row by row.
_IN_FORCE = (
    Column("known_at", INSTANT, "From when the entry stood so in the catalog that was published."),
    Column("ended_at", INSTANT, "When it first stood otherwise or not at all; null while it stands."),
)


def _entries(name: str, comment: str, key: tuple[str, ...], columns: tuple[Column, ...]) -> Table:
    return Table(name=name, comment=f"{comment}, one row per change.", key=(*key, "known_at"), columns=(*columns, *_IN_FORCE))


PACKAGE_ENTRIES = _entries(
    "package_entries",
    "The packages of the catalog as they were curated",
    ("id",),
    (
        Column("id", pa.int64(), "Identifier in the API."),
        Column("slug", pa.string(), "Short name, unique."),
        Column("title", pa.string(), "Title."),
        Column("category_id", pa.int64(), "categories.id."),
        Column("category", pa.string(), "Slug of the category."),
        Column("repo_url", pa.string(), "Repository address."),
        Column("pypi_url", pa.string(), "PyPI address or name."),
        Column("documentation_url", pa.string(), "Documentation link."),
        Column("created_at", INSTANT, "When the entry was created."),
        Column("modified_at", INSTANT, "When the entry was last edited."),
        Column("repo_subject", pa.string(), "Subject of its repository: github:owner/name; null without a supported one."),
        Column("project", pa.string(), "PEP 503 name of its project on PyPI; null without one."),
    ),
)
CATEGORY_ENTRIES = _entries("category_entries", "The categories of the catalog as they were curated", ("id",), CATEGORIES.columns)
GRID_ENTRIES = _entries("grid_entries", "The grids of the catalog as they were curated", ("id",), GRIDS.columns)
GRID_PACKAGE_ENTRIES = _entries(
    "grid_package_entries", "Which packages stood in which grid", ("grid_id", "package_id"), GRID_PACKAGES.columns
)
ENTRY_TABLES = (PACKAGE_ENTRIES, CATEGORY_ENTRIES, GRID_ENTRIES, GRID_PACKAGE_ENTRIES)

_FACET = Column("facet", pa.string(), "Which question: repo, head, weeks, participants, project or status.")
SIGHTED_SERIES = Table(
    name="sighted_series",
    comment="Every subject with the series it was heard under, numbered within a facet; the view sightings puts names to sighting_spans.",
    key=("facet", "number"),
    columns=(
        _FACET,
        Column("number", pa.int64(), "From 1, in the order of the first sighting."),
        Column("subject", pa.string(), "What was asked about."),
        Column("series", pa.string(), "The history it belongs to."),
    ),
)
SIGHTING_SPANS = Table(
    name="sighting_spans",
    comment="Every time an answer said something, new or again, many subjects in a row; the view sightings has them one by one.",
    key=("seen_at", "facet", "first_number"),
    columns=(
        Column("seen_at", INSTANT, "When the answer came."),
        _FACET,
        Column("run_id", pa.string(), "The run that asked."),
        Column("first_number", pa.int64(), "sighted_series.number of the first that was seen."),
        Column("last_number", pa.int64(), "The last one; each between them was seen."),
    ),
)

STATE = "ok, shifted, pending, capped, stale, unsupported, gone or blocked; null when the package has no such source."

PACKAGES = Table(
    name="packages",
    comment="One row per package of the catalog: curated fields, the newest known values, and how true each is.",
    key=("id",),
    columns=(
        Column("id", pa.int64(), "Identifier in the API, as curated."),
        Column("slug", pa.string(), "Short name, unique, as curated."),
        Column("title", pa.string(), "Title, as curated."),
        Column("category_id", pa.int64(), "categories.id."),
        Column("category", pa.string(), "Slug of the category."),
        Column("grid_ids", pa.list_(pa.int64()), "grids.id of every grid that lists it, ascending."),
        Column("grids", TEXTS, "Slugs of those grids, same order."),
        Column("repo_url", pa.string(), "Repository address, as curated."),
        Column("pypi_url", pa.string(), "PyPI address or name, as curated."),
        Column("documentation_url", pa.string(), "Documentation link, as curated, else the one its project declares."),
        Column("created_at", INSTANT, "When the entry was created, as curated."),
        Column("modified_at", INSTANT, "When the entry was last edited, as curated."),
        Column(
            "fetched_at",
            INSTANT,
            "The oldest of the times its sources were last confirmed; null until all were. The payload calls it last_fetched.",
        ),
        Column("repo_subject", pa.string(), "Subject of its repository: github:owner/name; null without a supported one."),
        Column("repo_id", pa.int64(), "The forge's numeric id."),
        Column("repo_full_name", pa.string(), "owner/name as the forge spells it now."),
        Column("repo_description", pa.string(), "Description on the forge; empty when it has none, null while unknown."),
        Column("stars_count", pa.int64(), "Stargazers. The payload calls it repo_watchers."),
        Column("watchers_count", pa.int64(), "People notified of activity."),
        Column("forks_count", pa.int64(), "Forks. The payload calls it repo_forks."),
        Column("is_archived", pa.bool_(), "The repository is archived."),
        Column("repo_license", pa.string(), "SPDX identifier the forge detected."),
        Column("pushed_at", INSTANT, "Last push to any branch."),
        Column("repo_observed_at", INSTANT, "When stars, forks and description were last confirmed."),
        Column("repo_state", pa.string(), "State of stars, forks and description: " + STATE),
        Column("last_commit_at", INSTANT, "Committer date of the newest commit on the default branch. The payload calls it last_updated."),
        Column("head_observed_at", INSTANT, "When last_commit_at was last confirmed."),
        Column("head_state", pa.string(), "State of last_commit_at: " + STATE),
        Column("weeks", WEEKS, "Commits in 52 windows of 7 days, oldest first; empty while unknown. The payload calls it commits_over_52."),
        Column("weeks_end_on", pa.date32(), "The windows end at the UTC midnight that begins this day."),
        Column("weeks_source", pa.string(), "history (commits by day) or participation (GitHub's own 52 numbers)."),
        Column("weeks_observed_at", INSTANT, "When weeks was last confirmed."),
        Column("weeks_state", pa.string(), "State of weeks: " + STATE),
        Column("participants", TEXTS, "Logins in the forge's order, most commits first; empty while unknown."),
        Column("participants_count", pa.int64(), "Number of participants; null while unknown."),
        Column(
            "participants_source", pa.string(), "contributors (GitHub's list) or history (that list, carried on with the commits since)."
        ),
        Column("participants_observed_at", INSTANT, "When participants was last confirmed."),
        Column("participants_state", pa.string(), "State of participants: " + STATE),
        Column("project", pa.string(), "PEP 503 name of its project on PyPI; null without one."),
        Column("latest_version", pa.string(), "PyPI's own latest version. The payload calls it pypi_version."),
        Column("latest_released_at", INSTANT, "Upload time of the first file of that release."),
        Column("is_latest_yanked", pa.bool_(), "That release is yanked, hence all are."),
        Column("is_latest_prerelease", pa.bool_(), "That release is a pre-release."),
        Column("summary", pa.string(), "One-line summary on PyPI."),
        Column("requires_python", pa.string(), "Requires-Python of the latest release."),
        Column("license", pa.string(), "Licence declared on PyPI, else the one the forge detected."),
        Column("releases_count", pa.int64(), "Releases listed on PyPI."),
        Column("project_status", pa.string(), "Status on PyPI (PEP 792): active, archived, quarantined or deprecated; null while unknown."),
        Column("project_observed_at", INSTANT, "When the PyPI values were last confirmed."),
        Column("project_state", pa.string(), "State of the PyPI values: " + STATE),
        Column(
            "release_lag_days", pa.int64(), "Whole days from the latest release to the newest commit; negative when the release is newer."
        ),
    ),
)

PARTICIPANTS = Table(
    name="participants",
    comment="Who has committed to a package's repository, as known now, one row per person.",
    key=("package_id", "position"),
    columns=(
        Column("package_id", pa.int64(), "packages.id."),
        Column("package", pa.string(), "Slug of the package."),
        Column("position", pa.int64(), "Rank by commits, 1 has most."),
        Column("login", pa.string(), "Login on the forge."),
        Column("commits_count", pa.int64(), "Commits the forge counts for this login."),
    ),
)

FETCHES = Table(
    name="fetches",
    comment="The ledger: one row per request of the last 92 days, and the last one answered of each question asked before, with its cost.",
    key=("run_id", "sequence"),
    columns=(
        Column("run_id", pa.string(), "runs.run_id."),
        Column("sequence", pa.int64(), "Order of landing within the run, from 1."),
        Column("source", pa.string(), "github or pypi."),
        Column("subject", pa.string(), "What was asked about; the source itself when it was about many."),
        Column("targets_count", pa.int64(), "About how many subjects."),
        Column(
            "facet",
            pa.string(),
            "Which question: repo, head, commits, weeks, participants, stars, project, status; "
            "about many at once: probe, history, past, index.",
        ),
        Column("page", pa.int64(), "Page of a paged answer, from 1."),
        Column("url", pa.string(), "Path and query asked, below the service's own address."),
        Column("attempt", pa.int64(), "1 for the first try."),
        Column("status", pa.int64(), "HTTP status; null when no answer came."),
        Column("verdict", pa.string(), "What the answer was taken for."),
        Column("error", pa.string(), "Why no usable answer came."),
        Column("fetched_at", INSTANT, "When the answer was complete."),
        Column("duration_ms", pa.int64(), "From sending to the complete answer."),
        Column("bytes_count", pa.int64(), "Size of the body after decoding."),
        Column("units_count", pa.int64(), "Quota units it cost on its meter."),
        Column("meter", pa.string(), "The quota it was drawn from (x-ratelimit-resource); null where there is none."),
        Column("remaining_count", pa.int64(), "Units left on the meter as told by the answer."),
        Column("resets_at", INSTANT, "When the meter is full again, as told by the answer."),
        Column(
            "clock_skew_seconds",
            pa.int64(),
            "By how many seconds the service's clock is ahead of ours, by its Date; negative when behind, null when it told none.",
        ),
        Column("identity", pa.string(), "anonymous, or the fingerprint of the token."),
    ),
)

RUNS = Table(
    name="runs",
    comment="One row per run.",
    key=("run_id",),
    columns=(
        Column("run_id", pa.string(), "Sorts by time."),
        Column("kind", pa.string(), "harvest or backfill."),
        Column("engine", pa.string(), "prefect or none."),
        Column("started_at", INSTANT, "When it began."),
        Column("ended_at", INSTANT, "When it ended."),
        Column("as_of_at", INSTANT, "The moment its publication speaks of."),
        Column(
            "outcome",
            pa.string(),
            "done, stopped (budget, refused token, too long a wait), refused (by the checks) or failed (killed; loaded later).",
        ),
        Column("packages_count", pa.int64(), "Packages in the catalog."),
        Column("planned_count", pa.int64(), "Facets that were due."),
        Column("answered_count", pa.int64(), "Facets that were answered."),
        Column("requests_count", pa.int64(), "Requests sent."),
        Column("github_units_count", pa.int64(), "Units of GitHub's REST quota spent."),
        Column("graphql_points_count", pa.int64(), "Points of GitHub's GraphQL quota spent."),
        Column("pypi_requests_count", pa.int64(), "Requests to PyPI."),
        Column("unchanged_count", pa.int64(), "Requests answered with 304."),
        Column("forecast_units_count", pa.int64(), "REST units foreseen before the run."),
        Column("forecast_points_count", pa.int64(), "GraphQL points foreseen."),
        Column("forecast_pypi_requests_count", pa.int64(), "Requests to PyPI foreseen."),
        Column("received_bytes", pa.int64(), "Bytes received after decoding."),
        Column("waited_seconds", pa.float64(), "Time spent waiting for a quota, in seconds."),
        Column("detail", pa.string(), "What ended it early, or why the checks refused it, in words."),
        Column(
            "accepted_reason", pa.string(), "Why it was published although the checks refused it, as given to packhouse publish --accept."
        ),
    ),
)

PUBLICATIONS = Table(
    name="publications",
    comment="Every time another publication became the current one.",
    key=("published_at",),
    columns=(
        Column("published_at", INSTANT, "When."),
        Column("run_id", pa.string(), "The run it speaks for."),
        Column("as_of_at", INSTANT, "The moment it speaks of."),
        Column("max_age_seconds", pa.int64(), "The greatest age of a fresh value then, by which stale ones were told."),
        Column("is_hindsight", pa.bool_(), "Its records are those of hindsight, not what was known then."),
    ),
)

PUBLICATION = Table(
    name="publication",
    comment="This publication itself: one row.",
    key=("run_id",),
    columns=(
        Column("run_id", pa.string(), "The run it speaks for."),
        Column("as_of_at", INSTANT, "The moment it speaks of: its now."),
    ),
)

FINDINGS = Table(
    name="findings",
    comment="What a human should see, one row per finding of the last 92 days.",
    key=("run_id", "subject", "code", "found_at"),
    columns=(
        Column("run_id", pa.string(), "runs.run_id."),
        Column("subject", pa.string(), "What it is about."),
        Column("code", pa.string(), "Short stable name of the kind of finding."),
        Column("level", pa.string(), "note, warning or error."),
        Column("message", pa.string(), "What happened, what it means, what to do."),
        Column("found_at", INSTANT, "When."),
    ),
)

# What the store keeps of answers, to be sent back: unchanged ones are then answered with 304.
VALIDATORS = Table(
    name="validators",
    comment="The validators of the newest good answer at each address, which belong to the identity that got them.",
    key=("identity", "api_version", "url", "subject"),
    columns=(
        Column("identity", pa.string(), "anonymous, or the fingerprint of the token."),
        Column("api_version", pa.string(), "Version of GitHub's API; empty elsewhere."),
        Column("url", pa.string(), "Path and query asked, below the service's own address."),
        Column("subject", pa.string(), "What was asked about."),
        Column("facet", pa.string(), "Which question."),
        Column("etag", pa.string(), "ETag."),
        Column("last_modified", pa.string(), "Last-Modified."),
        Column("seen_at", INSTANT, "When the answer came."),
    ),
)

HISTORY_TABLES = (
    REPO_OBSERVATIONS,
    HEAD_OBSERVATIONS,
    WEEK_OBSERVATIONS,
    PARTICIPANT_OBSERVATIONS,
    PROJECT_OBSERVATIONS,
    STATUS_OBSERVATIONS,
)
# What the store keeps between runs.
STORE_TABLES = (
    *HISTORY_TABLES,
    SIGHTED_SERIES,
    SIGHTING_SPANS,
    RELEASES,
    COMMIT_DAYS,
    COMMIT_REACH,
    STAR_DAYS,
    PERIOD_RECORDS,
    *ENTRY_TABLES,
    FETCHES,
    RUNS,
    PUBLICATIONS,
    FINDINGS,
    VALIDATORS,
)
# What a publication holds, in the order of the data dictionary.
PUBLIC_TABLES = (
    PACKAGES,
    CATEGORIES,
    GRIDS,
    GRID_PACKAGES,
    RELEASES,
    COMMIT_DAYS,
    COMMIT_REACH,
    STAR_DAYS,
    PERIOD_RECORDS,
    PARTICIPANTS,
    *HISTORY_TABLES,
    SIGHTED_SERIES,
    SIGHTING_SPANS,
    *ENTRY_TABLES,
    PUBLICATION,
    RUNS,
    PUBLICATIONS,
    FETCHES,
    FINDINGS,
)

FACET_TABLES = {
    "repo": REPO_OBSERVATIONS,
    "head": HEAD_OBSERVATIONS,
    "weeks": WEEK_OBSERVATIONS,
    "participants": PARTICIPANT_OBSERVATIONS,
    "project": PROJECT_OBSERVATIONS,
    "status": STATUS_OBSERVATIONS,
}
