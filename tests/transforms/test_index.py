from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from tests.transforms.answers_as_sent import index_body, status_body
from transforms.answers import InvalidAnswer
from transforms.index import decipher_index, decipher_status, read_index


def test_the_root_tells_the_serial_of_every_project():
    """Under the name PEP 503 gives it; serials may be text, as mirrors write them."""
    body = index_body(Django=7, **{"zope.interface": "12", "A__b": 1})
    assert dict(read_index(body)) == {"django": 7, "zope-interface": 12, "a-b": 1}
    assert decipher_index(body, {"django", "missing"}) == {"django": 7}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><a href='/simple/a/'>a</a>",
        b'{"meta": {}}',
        index_body(),
        index_body(a=...),
        index_body(a=1, b=...),
        index_body(a=None),
        index_body(a="x"),
        index_body(a=-1),
        index_body(a=1)[:-1],
        b'{"projects": [{"name": 1, "_last-serial": 1}]}',
    ],
)
def test_a_root_that_does_not_tell_every_serial_is_not_relied_on(body):
    """Neither HTML nor half a list nor a mirror without serials says that anything has not changed."""
    assert decipher_index(body, {"a"}) is None


def test_other_keys_of_the_root_are_no_projects():
    """Before and after the list, in any spelling of the JSON."""
    body = b'{"meta": {"x": {"name": "no"}}, "projects" : [ {"name":"a" , "_last-serial" : 3, "new": [1]} ], "more": {"y": 1}}'
    assert dict(read_index(body)) == {"a": 3}


NAMES = st.text(alphabet="aZ09-_.", min_size=1, max_size=8).filter(lambda name: name[0].isalnum() and name[-1].isalnum())


@given(st.dictionaries(NAMES, st.integers(0, 2**40), min_size=1, max_size=12), st.booleans())
def test_the_root_is_read_as_any_reader_of_json_would(serials, is_text):
    """Entry by entry gives what the whole document gives."""
    body = index_body(**{name: str(serial) if is_text else serial for name, serial in serials.items()})
    document = orjson.loads(body)["projects"]
    assert list(read_index(body)) == [(canonicalize_name(entry["name"]), int(entry["_last-serial"])) for entry in document]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (status_body("a.whl", "a.tar.gz"), ("active", None, 2)),
        (status_body("a.whl", status=None), ("active", None, 1)),
        (status_body("a.whl", status="archived"), ("archived", None, 1)),
        (status_body(**{"project-status": {"status": "quarantined", "reason": " malware "}}), ("quarantined", "malware", 0)),
        (status_body(**{"project-status": {"status": "Retired"}}), ("retired", None, 0)),
        (status_body(**{"project-status": {"status": None}}), ("active", None, 0)),
    ],
)
def test_the_page_of_a_project_tells_its_status(body, expected):
    """Absent is active (PEP 792); a word that is new is kept, and what to make of it is the reader's."""
    row = decipher_status(body, "django-name")
    assert (row["project_status"], row["status_reason"], row["files_count"]) == expected


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (status_body(name="flask"), "another project"),
        (status_body(files="none"), "files: is no list"),
        (b"[]", "expected an object"),
        (b'{"name": 1}', "files: missing"),
    ],
)
def test_a_page_that_cannot_be_read_is_invalid(body, named):
    """Another project's page says nothing of this one."""
    with pytest.raises(InvalidAnswer, match=named):
        decipher_status(body, "django-name")


def test_the_page_has_the_serial_of_the_project():
    """As number or text, where the index tells it."""
    assert [decipher_status(status_body(serial=serial), "django-name")["serial"] for serial in (7, "7", None)] == [7, 7, None]
