from __future__ import annotations

import httpx
import pytest

from sandbox import SAMPLE_MOMENT, Running, curious_world
from sandbox.index import SIMPLE_JSON
from tests.sandbox.asking import asking


def _document(sandbox: Running, client: httpx.Client, name: str, **headers: str) -> httpx.Response:
    return client.get(f"{sandbox.pypi_url}/pypi/{name}/json", headers=headers)


def _simple(sandbox: Running, client: httpx.Client, path: str) -> httpx.Response:
    return client.get(f"{sandbox.pypi_url}/simple/{path}", headers={"accept": SIMPLE_JSON})


def test_document_carries_serial_and_validator() -> None:
    """The serial stands in the body and the header; the ETag is strong."""
    with asking() as (sandbox, client):
        answer = _document(sandbox, client, "curious-plain")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-pypi-last-serial"] == str(answer.json()["last_serial"])
    assert not answer.headers["etag"].startswith("W/")
    assert answer.content.endswith(b"}\n")


@pytest.mark.parametrize("name", ["Curious_Plain", "CURIOUS.plain", "curious--plain", "curious%2Dplain"])
def test_any_spelling_of_a_name_is_answered_directly(name: str) -> None:
    """The edge normalises names, so there is no redirect."""
    with asking() as (sandbox, client):
        assert _document(sandbox, client, name).status_code == 200


def test_trailing_slash_is_redirected() -> None:
    """The address without it is the real one."""
    with asking() as (sandbox, client):
        answer = client.get(f"{sandbox.pypi_url}/pypi/curious-plain/json/")
    assert (answer.status_code, answer.headers["location"]) == (301, f"{sandbox.pypi_url}/pypi/curious-plain/json")


@pytest.mark.parametrize("name", ["nobody-has-this", "curious-no-releases", "curious-quarantined"])
def test_missing_empty_and_quarantined_look_alike(name: str) -> None:
    """All three are 404 with PyPI's body."""
    with asking() as (sandbox, client):
        answer = _document(sandbox, client, name)
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (404, {"message": "Not Found"}, "application/json")


def test_release_changes_serial_validator_and_version() -> None:
    """A known version is 304 until something is uploaded."""
    world = curious_world()
    with asking(world) as (sandbox, client):
        before = _document(sandbox, client, "curious-plain")
        known = {"if-none-match": before.headers["etag"]}
        assert _document(sandbox, client, "curious-plain", **known).status_code == 304
        world.release("curious-plain", "99.0", at=SAMPLE_MOMENT)
        after = _document(sandbox, client, "curious-plain", **known)
    assert after.status_code == 200
    assert after.json()["info"]["version"] == "99.0"
    assert after.json()["last_serial"] == before.json()["last_serial"] + 1
    assert after.json()["releases"]["99.0"][0]["upload_time_iso_8601"] == "2026-02-15T22:19:55.437989Z"


def test_index_root_lists_serials_and_forgets_the_gone() -> None:
    """One row per listed project, quarantined ones left out, removals noticed."""
    world = curious_world()
    with asking(world) as (sandbox, client):
        before = _simple(sandbox, client, "")
        world.remove_project("curious-archived")
        after = _simple(sandbox, client, "").json()
    names = [row["name"] for row in before.json()["projects"]]
    assert names == sorted(names)
    assert "curious-quarantined" not in names
    assert all(isinstance(row["_last-serial"], int) for row in before.json()["projects"])
    assert before.headers["content-type"] == SIMPLE_JSON
    assert set(names) - {row["name"] for row in after["projects"]} == {"curious-archived"}


def test_index_page_tells_status_and_files() -> None:
    """The simple page knows what the document cannot say: archived and quarantined."""
    with asking() as (sandbox, client):
        pages = {name: _simple(sandbox, client, f"curious-{name}/").json() for name in ("plain", "archived", "quarantined", "all-yanked")}
    assert {name: page["project-status"]["status"] for name, page in pages.items()} == {
        "plain": "active",
        "archived": "archived",
        "quarantined": "quarantined",
        "all-yanked": "active",
    }
    assert pages["quarantined"]["files"] == []
    assert {file["yanked"] for file in pages["all-yanked"]["files"]} == {"do not use"}
    assert pages["plain"]["meta"]["api-version"] == "1.4"


def test_index_page_redirects_to_its_canonical_address() -> None:
    """A name as PEP 503 has it and a slash at the end."""
    with asking() as (sandbox, client):
        answers = [_simple(sandbox, client, path) for path in ("Curious_Plain/", "curious-plain")]
    assert {(answer.status_code, answer.headers["location"]) for answer in answers} == {(301, f"{sandbox.pypi_url}/simple/curious-plain/")}


def test_html_form_of_the_index_has_no_serials() -> None:
    """Who does not ask for JSON gets a page for people."""
    with asking() as (sandbox, client):
        answer = client.get(f"{sandbox.pypi_url}/simple/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "serial" not in answer.text


def test_pypi_is_for_reading() -> None:
    """Anything but GET and HEAD is 405."""
    with asking() as (sandbox, client):
        assert client.post(f"{sandbox.pypi_url}/pypi/curious-plain/json").status_code == 405
