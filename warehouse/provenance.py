"""Where the values of one package come from: for each facet the answer that confirmed it last, and what was heard since.

Reads a publication only, so it says the same as the tables beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transforms.schemas import FACET_TABLES
from warehouse.database import fill
from warehouse.history import GOOD
from warehouse.readers import Publication

_SAID = """
SELECT observed_at AS first_said_at, confirmed_at AS last_said_at, sighting_count, outcome, detail, source_url, outcome IN $good AS is_good,
    $listed
FROM publication.main.$table WHERE series IN (?, ?)
QUALIFY row_number() OVER (PARTITION BY is_good ORDER BY confirmed_at DESC, observed_at DESC) = 1
ORDER BY confirmed_at
"""

_ANSWER = """
SELECT run_id, sequence, facet, url, status, verdict, identity FROM publication.main.fetches
WHERE source = ? AND fetched_at = ? AND subject IN (?, ?) AND list_contains(?, facet)
ORDER BY list_position(?, facet), run_id DESC, sequence DESC LIMIT 1
"""

# Questions whose answers can confirm a facet, the one that asks for it first.
_CONFIRMING = {
    "repo": ["probe", "repo"],
    "head": ["probe", "head", "commits", "repo"],
    "weeks": ["history", "commits", "weeks", "probe", "head", "repo"],
    "participants": ["participants", "history", "commits", "probe", "head", "repo"],
    "project": ["project", "index", "status"],
    "status": ["status"],
}


def provenance(publication: Publication, package: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Tell by facet of a row of ``packages``: ``good`` and ``newest`` (rows of its history), ``answer`` (row of the ledger).

    ``answer`` is the one that confirmed the value last: for weeks that were shifted it is the probe that saw an unchanged head.
    Each is ``None`` where there is none.
    """
    found: dict[str, dict[str, Any]] = {}
    for facet, table in FACET_TABLES.items():
        subject = package["project"] and f"pypi:{package['project']}" if facet in ("project", "status") else package["repo_subject"]
        if subject is None:
            continue
        source = subject.partition(":")[0]
        series = f"github:{package['repo_id']}" if source == "github" and package["repo_id"] is not None else subject
        rows = _rows(publication, fill(_SAID, table=table.name, good=GOOD, listed=_listed(facet)), [series, subject])
        good = next((row for row in rows if row["is_good"]), None)
        observed_at = package.get(f"{facet}_observed_at") or (good and good["last_said_at"])
        questions = _CONFIRMING[facet]
        answers = _rows(publication, _ANSWER, [source, observed_at, subject, source, questions, questions]) if observed_at else []
        found[facet] = {"good": good, "newest": rows[-1] if rows else None, "answer": answers[0] if answers else None}
    return found


def _listed(facet: str) -> str:
    return "listed_at" if facet == "participants" else "NULL AS listed_at"


def _rows(publication: Publication, sql: str, values: list[Any]) -> list[dict[str, Any]]:
    cursor = publication.cursor()
    cursor.execute(sql, values)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
