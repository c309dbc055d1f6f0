from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.sample import recorded_projects
from tests.transforms.answers_as_sent import file_entry, project_body
from transforms.pypi import DOCUMENTATION_LABELS as DOCUMENTATION
from transforms.pypi import InvalidAnswer, choose_license, choose_url, decipher_project

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def read(body, serial=None):
    """The project's values and its releases by version."""
    values, releases = decipher_project(body, serial)
    return values, {release["version"]: release for release in releases}


def test_the_latest_version_is_the_one_pypi_names():
    """Not the highest, not the newest upload: PyPI passes over pre-releases and yanked releases itself."""
    values, _ = read(project_body({"1.0": [file_entry()], "2.0a1": [file_entry()], "3.0": [file_entry(yanked=True)]}, version="1.0"))
    assert (values["latest_version"], values["is_latest_yanked"], values["is_latest_prerelease"]) == ("1.0", False, False)


def test_a_project_with_only_yanked_or_only_prereleases_says_so():
    """The latest of such a project carries the flag."""
    yanked, _ = read(project_body({"1.0": [file_entry(yanked=True, yanked_reason="bad")]}))
    early, _ = read(project_body({"1.0rc1": [file_entry()]}, version="1.0rc1"))
    assert (yanked["is_latest_yanked"], early["is_latest_prerelease"]) == (True, True)


def test_releases_are_ordered_by_pep_440_though_pypi_lists_them_by_text():
    """1.10 is above 1.9, and legacy spellings survive below both."""
    _, releases = read(project_body({"1.10": [file_entry()], "1.9": [file_entry()], "2004d": [], "1.9rc1": []}, version="1.10"))
    assert list(releases) == ["2004d", "1.9rc1", "1.9", "1.10"]
    assert [release["position"] for release in releases.values()] == [1, 2, 3, 4]
    assert [release["is_legacy"] for release in releases.values()] == [True, False, False, False]
    assert [release["is_prerelease"] for release in releases.values()] == [None, True, False, False]


def test_a_release_without_files_is_listed_and_nothing_is_invented_for_it():
    """It counts, but of its yank, time and Requires-Python nothing is known; `all()` of no files is not a yank."""
    values, releases = read(project_body({"0.7": [], "1.0": [file_entry()]}))
    assert values["releases_count"] == 2
    bare = releases["0.7"]
    assert (bare["files_count"], bare["size_bytes"]) == (0, 0)
    assert (bare["is_yanked"], bare["released_at"], bare["requires_python"]) == (None, None, None)


def test_a_latest_release_without_files_has_no_release_time():
    """PyPI still tells whether it is yanked."""
    values, _ = read(project_body({"1.0": []}, yanked=True))
    assert (values["latest_released_at"], values["is_latest_yanked"]) == (None, True)


def test_a_release_is_dated_by_its_first_file_and_yanked_when_all_files_are():
    """Files come in the order of their names, not of their upload."""
    late = file_entry(
        filename="a.whl", upload_time_iso_8601="2024-05-01T00:00:00Z", yanked=True, yanked_reason="broken", requires_python=">=3.9"
    )
    early = file_entry(filename="b.tar.gz", upload_time_iso_8601="2024-04-01T00:00:00.5Z", size=11)
    _, releases = read(project_body({"1.0": [late, early]}))
    release = releases["1.0"]
    assert release["released_at"] == datetime(2024, 4, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert (release["requires_python"], release["files_count"], release["size_bytes"]) == (">=3.8", 2, 111)
    assert (release["is_yanked"], release["yanked_reason"]) == (False, "broken")
    _, yanked = read(project_body({"1.0": [late, {**early, "yanked": True}]}))
    assert yanked["1.0"]["is_yanked"] is True


def test_requires_python_is_kept_as_declared_and_cleared_when_dropped():
    """An unreadable specifier stays text; null and empty both mean that none is declared."""
    assert read(project_body(requires_python=">=3.6.*"))[0]["requires_python"] == ">=3.6.*"
    assert read(project_body(requires_python=""))[0]["requires_python"] is None
    assert read(project_body(requires_python=None))[0]["requires_python"] is None


def test_old_mirrors_have_upload_times_without_offset():
    """They mean UTC."""
    _, releases = read(project_body({"1.0": [file_entry(upload_time_iso_8601=...)]}))
    assert releases["1.0"]["released_at"] == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "sent", "serial"), [("9", 5, 9), (None, 5, 5), (None, "5", 5), ("no", 5, 5), (None, None, None), ("9" * 30, ..., None)]
)
def test_the_serial_is_that_of_the_header_else_of_the_document(header, sent, serial):
    """PyPI writes a number, mirrors a text, and some nothing."""
    document = orjson.loads(project_body(last_serial=None if sent is ... else sent))
    if sent is ...:
        del document["last_serial"]
    assert read(orjson.dumps(document), header)[0]["serial"] == serial


def test_all_bad_fields_of_a_project_are_named_at_once():
    """Whether in `info` or in a file, and a missing field is never filled."""
    body = project_body({"1.0": [file_entry(size=..., yanked="no"), 7], "2.0": None}, version=..., summary=3)
    with pytest.raises(InvalidAnswer) as caught:
        decipher_project(body, None)
    problems = caught.value.problems
    assert problems[:4] == [
        "info.version: missing",
        "info.summary: is 3, expected text",
        "releases.1.0.0.size: missing",
        'releases.1.0.0.yanked: is "no", expected true or false',
    ]
    assert "releases.1.0.1.filename: missing" in problems
    assert problems[-1] == "releases.2.0: expected a list of files"


def test_a_vanished_list_of_releases_is_invalid():
    """PyPI may drop `releases` one day; then nothing is known of them, which is not the same as none."""
    document = orjson.loads(project_body())
    del document["releases"]
    with pytest.raises(InvalidAnswer, match="releases: missing"):
        decipher_project(orjson.dumps(document), None)


def test_a_long_list_of_problems_is_cut():
    """A message stays readable however broken the answer is."""
    with pytest.raises(InvalidAnswer) as caught:
        decipher_project(project_body({"1.0": [file_entry(size=...)] * 80}), None)
    assert len(caught.value.problems) == 51
    assert caught.value.problems[-1] == "and 30 more"


@pytest.mark.parametrize(
    ("expression", "classifiers", "text", "expected"),
    [
        ("MIT OR Apache-2.0", ["License :: OSI Approved :: MIT License"], "MIT", "MIT OR Apache-2.0"),
        (None, ["License :: OSI Approved :: MIT License", "License :: OSI Approved :: BSD License"], "x", "MIT License, BSD License"),
        ("", ["License :: OSI Approved"], " BSD ", "BSD"),
        (None, ["Framework :: Django"], "BSD", "BSD"),
        (None, [], "Permission is hereby granted\nto anyone", None),
        (None, [], "x" * 60, None),
        (None, [], "UNKNOWN", None),
        (None, [], None, None),
    ],
)
def test_a_licence_is_the_most_exact_declaration(expression, classifiers, text, expected):
    """Expression, then classifiers, then a short text; a whole licence text is no name."""
    assert choose_license(expression, classifiers, text) == expected


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ({"Documentation": "https://d.example"}, "https://d.example"),
        ({"Docs": "https://a.example", "documentation": "https://b.example"}, "https://b.example"),
        ({"Read the Docs!": "http://c.example"}, "http://c.example"),
        ({"Source": "https://s.example"}, None),
        ({"Documentation": "UNKNOWN", "docs": "readme.md"}, None),
        ({"Documentation": None}, None),
        ({"Documentation": "javascript:alert(1)"}, None),
    ],
)
def test_the_documentation_link_is_found_under_its_known_labels(urls, expected):
    """Labels are free text: case, spaces and punctuation do not count, and only a web address is a link."""
    assert choose_url(urls, DOCUMENTATION) == expected


def test_links_fall_back_to_the_old_fields():
    """`project_urls` may be null; home_page and docs_url are older."""
    values, _ = read(project_body(home_page="https://h.example", docs_url="https://old.example"))
    assert (values["homepage_url"], values["documentation_url"], values["repository_url"]) == (
        "https://h.example",
        "https://old.example",
        None,
    )
    urls = {"Homepage": "https://new.example", "Source Code": "https://s.example"}
    values, _ = read(project_body(home_page="https://h.example", project_urls=urls))
    assert (values["homepage_url"], values["repository_url"]) == ("https://new.example", "https://s.example")


def test_documents_recorded_from_pypi_are_read_whole():
    """Every project of the sample catalog, as PyPI really answered: its latest release is listed, dated, stable and not yanked."""
    for project in recorded_projects():
        values, releases = read(orjson.dumps(project.document))
        latest = releases[values["latest_version"]]
        assert values["project_name"].lower() == project.name
        assert values["latest_released_at"] == latest["released_at"] is not None
        assert (latest["is_yanked"], latest["is_prerelease"], latest["is_legacy"]) == (False, False, False)
        assert values["releases_count"] == len(project.document["releases"])
        stable = [release for release in releases.values() if release["is_prerelease"] is False and release["is_yanked"] is False]
        assert stable[-1]["version"] == values["latest_version"]


def test_fields_of_newer_pypi_may_be_absent():
    """A mirror that stored a document years ago has no license_expression and no yanked in info."""
    values, _ = read(project_body(license_expression=..., yanked=..., docs_url=..., license="MIT"))
    assert (values["license"], values["is_latest_yanked"]) == ("MIT", False)


@settings(deadline=None)
@given(st.binary(max_size=60) | json_values.map(orjson.dumps))
def test_no_bytes_and_no_json_break_the_decipherer(body):
    """Whatever is sent, it is read or it is an invalid answer."""
    try:
        decipher_project(body, None)
    except InvalidAnswer as error:
        assert error.problems  # noqa: PT017 - raising is allowed, not demanded


@settings(deadline=None)
@given(st.data())
def test_any_field_of_info_and_of_a_file_may_be_anything(data):
    """A field replaced by any JSON value is read or named, and the releases always come ranked without gaps."""
    info = {
        data.draw(st.sampled_from(["version", "summary", "classifiers", "project_urls", "requires_python", "name"])): data.draw(json_values)
    }
    files = data.draw(st.dictionaries(st.text("0123.ab-é", max_size=6), st.lists(st.just(file_entry()), max_size=2), max_size=4))
    if data.draw(st.booleans()):
        files["1.0"] = [
            file_entry(
                **{data.draw(st.sampled_from(["size", "yanked", "upload_time_iso_8601", "requires_python"])): data.draw(json_values)}
            )
        ]
    try:
        _, releases = decipher_project(project_body(files, **info), None)
    except InvalidAnswer as error:
        assert error.problems  # noqa: PT017
    else:
        assert [release["position"] for release in releases] == list(range(1, len(files) + 1))
