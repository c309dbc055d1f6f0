from __future__ import annotations

import httpx
import pytest

from sandbox import SAMPLE_MOMENT, Index, Running, Serials, curious_world
from sandbox.index import SIMPLE_JSON
from sandbox.subjects import UnknownSubject
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


def test_a_changed_document_may_be_old_for_some_answers() -> None:
    """The edge still has the former body, serial and ETag, to those who know it as well; then it has the new ones."""
    world = curious_world()
    with asking(world, index=Index(stale_answers=2)) as (sandbox, client):
        before = _document(sandbox, client, "curious-plain")
        known = {"if-none-match": before.headers["etag"]}
        world.release("curious-plain", "99.0", at=SAMPLE_MOMENT)
        promised = {row["name"]: row["_last-serial"] for row in _simple(sandbox, client, "").json()["projects"]}["curious-plain"]
        stale, unchanged, fresh = (_document(sandbox, client, "curious-plain", **headers) for headers in ({}, known, known))
        world.release("curious-plain", "99.1", at=SAMPLE_MOMENT)
        again = _document(sandbox, client, "curious-plain")
    assert (stale.content, stale.headers["x-pypi-last-serial"]) == (before.content, before.headers["x-pypi-last-serial"])
    assert (unchanged.status_code, unchanged.headers["x-pypi-last-serial"]) == (304, before.headers["x-pypi-last-serial"])
    assert fresh.status_code == 200
    assert int(fresh.headers["x-pypi-last-serial"]) == promised == int(before.headers["x-pypi-last-serial"]) + 1
    assert again.content == fresh.content


def test_a_removed_project_may_be_there_for_some_answers() -> None:
    """The edge forgets late; a project back after its removal is not found at once."""
    world = curious_world()
    project = world.project("curious-plain")
    assert project
    with asking(world, index=Index(stale_answers=1)) as (sandbox, client):
        world.remove_project("curious-plain")
        statuses = [_document(sandbox, client, "curious-plain").status_code for _ in range(2)]
        world.add(project)
        statuses += [_document(sandbox, client, "curious-plain").status_code]
    assert statuses == [200, 404, 200]


def test_the_root_may_lag_behind_the_documents() -> None:
    """For some answers it lists what was; a change of a repository meanwhile makes no difference."""
    world = curious_world()
    with asking(world, index=Index(stale_root_answers=2)) as (sandbox, client):
        before = _simple(sandbox, client, "")
        world.release("curious-plain", "99.0", at=SAMPLE_MOMENT)
        first = _simple(sandbox, client, "")
        world.change("curious/plain", stars=3)
        second, third = _simple(sandbox, client, ""), _simple(sandbox, client, "")
        assert _document(sandbox, client, "curious-plain").json()["info"]["version"] == "99.0"
    assert before.content == first.content == second.content
    assert first.headers["etag"] == before.headers["etag"]
    assert int(third.headers["x-pypi-last-serial"]) == int(before.headers["x-pypi-last-serial"]) + 1


@pytest.mark.parametrize(("serials", "kind"), [(Serials.TEXT, str), (Serials.NUMBERS, int)])
def test_serials_may_be_text(serials: Serials, kind: type) -> None:
    """Mirrors write them so, in the root, on the pages and in the documents."""
    with asking(index=Index(serials=serials)) as (sandbox, client):
        root, page = _simple(sandbox, client, "").json(), _simple(sandbox, client, "curious-plain/").json()
        document = _document(sandbox, client, "curious-plain").json()
    assert {type(row["_last-serial"]) for row in root["projects"]} == {kind}
    assert [type(value) for value in (root["meta"]["_last-serial"], page["meta"]["_last-serial"], document["last_serial"])] == [kind] * 3


def test_there_may_be_no_serials_at_all() -> None:
    """Neither in bodies nor in headers; validators stay."""
    with asking(index=Index(serials=Serials.NONE)) as (sandbox, client):
        answers = [_simple(sandbox, client, ""), _simple(sandbox, client, "curious-plain/"), _document(sandbox, client, "curious-plain")]
    assert all(row.keys() == {"name"} for row in answers[0].json()["projects"])
    assert "_last-serial" not in answers[1].json()["meta"]
    assert "last_serial" not in answers[2].json()
    assert not any("x-pypi-last-serial" in answer.headers for answer in answers)
    assert all("etag" in answer.headers for answer in answers)


def test_a_mirror_is_a_plain_copy() -> None:
    """No validators, no serial in a header, the root for people only, and nothing said about what is missing."""
    with asking(index=Index(is_mirror=True, serials=Serials.TEXT)) as (sandbox, client):
        root, page = _simple(sandbox, client, ""), _simple(sandbox, client, "curious-plain/")
        document, missing = _document(sandbox, client, "curious-plain"), _document(sandbox, client, "nobody-has-this")
    assert root.headers["content-type"].startswith("text/html")
    assert isinstance(document.json()["last_serial"], str)
    assert page.headers["content-type"] == SIMPLE_JSON
    assert not any({"etag", "x-pypi-last-serial"} & answer.headers.keys() for answer in (root, page, document))
    assert (missing.status_code, missing.content) == (404, b"")


def test_an_archived_project_has_its_serial_and_another_page() -> None:
    """Only the page tells; a quarantine moves the serial and takes the document away."""
    world = curious_world()
    with asking(world) as (sandbox, client):
        before = _document(sandbox, client, "curious-plain")
        world.set_status("curious-plain", "archived")
        archived, page = _document(sandbox, client, "curious-plain"), _simple(sandbox, client, "curious-plain/")
        world.set_status("curious-plain", "quarantined")
        quarantined = _simple(sandbox, client, "curious-plain/")
        assert _document(sandbox, client, "curious-plain").status_code == 404
        world.set_status("curious-plain", "active")
        active = _document(sandbox, client, "curious-plain")
    assert archived.content == before.content
    assert page.json()["project-status"] == {"status": "archived"}
    serials = [int(answer.headers["x-pypi-last-serial"]) for answer in (before, archived, page, quarantined, active)]
    assert [serial - serials[0] for serial in serials] == [0, 0, 0, 1, 2]
    with pytest.raises(UnknownSubject):
        world.set_status("nobody-has-this", "archived")
    with pytest.raises(ValueError, match="deprecated"):
        world.set_status("curious-plain", "deprecated")
