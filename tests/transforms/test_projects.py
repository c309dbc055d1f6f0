from __future__ import annotations

from datetime import timedelta

import pytest

from tests.transforms.answers_as_sent import NOON, capture, index_body, known_of, project_body, status_body
from transforms.observations import Gathering
from transforms.schemas import PROJECT_OBSERVATIONS

LATER = NOON + timedelta(minutes=5)


def gather(*landed, known=None):
    """The tables made of (capture, verdict) pairs in landing order."""
    gathering = Gathering(known or known_of())
    for taken, verdict in landed:
        gathering.add(taken, verdict)
    return gathering.tables()


def rows_of(tables):
    """Rows of projects by subject."""
    return {row["subject"]: row for row in tables[PROJECT_OBSERVATIONS.name].to_pylist()}


def project(name, outcome="ok", **changes):
    """What was known of a project."""
    return "project", {"subject": f"pypi:{name}", "series": f"pypi:{name}", "outcome": outcome, **changes}


GONE = (capture("project", b"", status=404), "missing")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ((capture("status", status_body(status="quarantined", serial=8)), "ok"), ("blocked", "quarantined by PyPI", None, None)),
        ((capture("status", status_body(serial=8)), "ok"), ("empty", "the project has no release", 0, 8)),
        ((capture("status", b"", status=404), "missing"), ("missing", "HTTP 404", None, None)),
        (
            (capture("status", status_body("a.whl")), "ok"),
            ("failed", "its index lists files, but it has no document", None, None),
        ),
        (
            (capture("status", b"", status=503), "transient"),
            ("failed", "it has no document, and whether it is listed could not be learnt", None, None),
        ),
    ],
    ids=["quarantined", "without a release", "deleted", "listed", "unknown"],
)
def test_why_a_project_has_no_document(page, expected):
    """Its page of the index tells; until it does, nobody counts it as missing."""
    row = rows_of(gather(GONE, page))["pypi:django-name"]
    assert (row["outcome"], row["detail"], row["releases_count"], row["serial"]) == expected
    assert rows_of(gather(page, GONE)) == rows_of(gather(GONE, page))


def test_a_404_alone_is_missing():
    """As it was before its page was asked for."""
    assert rows_of(gather(GONE))["pypi:django-name"]["outcome"] == "missing"


def test_a_quarantine_is_told_and_a_project_without_a_release_is_no_alarm():
    """One withholds a value, the other has none."""
    quarantined = gather(GONE, (capture("status", status_body(status="quarantined")), "ok"))
    assert quarantined["findings"]["code"].to_pylist() == ["project_blocked"]
    assert gather(GONE, (capture("status", status_body()), "ok"))["findings"].num_rows == 0


def test_the_status_is_a_row_of_its_own():
    """An archived project has its document as before."""
    tables = gather((capture("project"), "ok"), (capture("status", status_body("a.whl", status="archived")), "ok"))
    (status,) = tables["status_observations"].to_pylist()
    assert (status["series"], status["project_status"], status["files_count"]) == ("pypi:django-name", "archived", 1)
    assert rows_of(tables)["pypi:django-name"]["outcome"] == "ok"


def test_an_index_without_json_pages_is_not_asked_in_vain():
    """Most mirrors have HTML alone: the status is unsupported, and nobody needs to be told for each project."""
    tables = gather((capture("status", b"<html>", headers={"content-type": "text/html; charset=utf-8"}), "garbled"))
    (status,) = tables["status_observations"].to_pylist()
    assert (status["outcome"], tables["findings"].num_rows) == ("unsupported", 0)
    broken = gather((capture("status", b"{", headers={"content-type": "application/json"}), "garbled"))
    assert broken["status_observations"]["outcome"].to_pylist() == ["invalid"]


def test_the_root_confirms_whose_serial_is_the_one_known():
    """It is as if each had answered 304 then; others are not spoken of."""
    known = known_of(project("same", serial=5), project("moved", serial=5), project("unlisted", serial=5), project("nameless", serial=None))
    index = capture("index", index_body(Same="5", moved=6, nameless=1, unknown=5), fetched_at=LATER)
    (row,) = gather((index, "ok"), known=known)[PROJECT_OBSERVATIONS.name].to_pylist()
    assert (row["subject"], row["series"], row["outcome"], row["observed_at"], row["confirmed_at"], row["sighting_count"]) == (
        "pypi:same", "pypi:same", "unchanged", LATER, LATER, 1,
    )  # fmt: skip
    assert (row["run_id"], row["source_url"]) == (index.run_id, "/simple/")


@pytest.mark.parametrize(
    ("body", "verdict"), [(index_body(a=...), "ok"), (b"<html>", "garbled"), (b"", "transient"), (index_body(a=1, b=...), "ok")]
)
def test_a_root_that_cannot_be_relied_on_confirms_nothing(body, verdict):
    """Nor does it say that anything is missing."""
    known = known_of(project("a", serial=1), project("c", "missing"))
    assert gather((capture("index", body), verdict), known=known)[PROJECT_OBSERVATIONS.name].num_rows == 0


def test_what_was_looked_into_and_is_still_not_listed_is_so_again():
    """A deleted project is missing once more, a quarantined one still withheld; one that is listed again says nothing yet."""
    known = known_of(
        project("deleted", "missing", detail="HTTP 404"),
        project("held", "blocked", detail="quarantined by PyPI"),
        project("back", "missing"),
    )
    found = rows_of(gather((capture("index", index_body(back=9)), "ok"), known=known))
    assert {subject: (row["outcome"], row["detail"]) for subject, row in found.items()} == {
        "pypi:deleted": ("missing", "HTTP 404"),
        "pypi:held": ("blocked", "quarantined by PyPI"),
    }


def test_a_known_value_does_not_return_because_the_root_lags_behind():
    """A project that has just been quarantined is listed with its old serial for half an hour."""
    known = known_of(project("a", serial=5), project("a", "blocked", confirmed_at=LATER, observed_at=LATER))
    assert gather((capture("index", index_body(a=5)), "ok"), known=known)[PROJECT_OBSERVATIONS.name].num_rows == 0


def test_an_answer_of_its_own_decides():
    """Whatever the root says, before or after."""
    known = known_of(project("django-name", serial=5))
    index, failed = (capture("index", index_body(**{"django-name": 5})), "ok"), (capture("project", b"", status=503), "transient")
    for landed in ([index, failed], [failed, index]):
        assert rows_of(gather(*landed, known=known))["pypi:django-name"]["outcome"] == "failed"


ETAG = {"etag": '"x"'}


@pytest.mark.parametrize(
    ("serial", "promised", "outcome"), [(5, 5, "ok"), (6, 5, "ok"), (5, 6, "pending"), ("5", "6", "pending"), (None, 6, "ok")]
)
def test_a_document_older_than_promised_is_no_answer_yet(serial, promised, outcome):
    """The edge of PyPI's network keeps documents for a day; the old value stays, and no validator of the old copy is kept."""
    landed = [
        (capture("index", index_body(**{"django-name": promised})), "ok"),
        (capture("project", project_body(last_serial=serial), headers=ETAG), "ok"),
    ]
    tables = gather(*landed)
    row = rows_of(tables)["pypi:django-name"]
    assert row["outcome"] == outcome
    assert tables["releases"].num_rows == tables["validators"].num_rows == (outcome == "ok")
    if outcome == "pending":
        assert row["detail"] == "PyPI's edge still serves serial 5, the index promises 6"
        assert (row["latest_version"], row["serial"]) == (None, None)
    again = (capture("project", project_body(last_serial=7), fetched_at=LATER), "ok")
    assert rows_of(gather(*landed, again))["pypi:django-name"]["outcome"] == "ok"


@pytest.mark.parametrize(("promised", "outcome"), [(5, "unchanged"), (6, "pending")])
def test_a_304_confirms_no_more_than_the_serial_known(promised, outcome):
    """What has not changed at the edge may have changed behind it."""
    landed = [(capture("index", index_body(**{"django-name": promised})), "ok"), (capture("project", b"", status=304), "unchanged")]
    known = known_of(project("django-name", serial=5))
    assert rows_of(gather(*landed, known=known))["pypi:django-name"]["outcome"] == outcome
