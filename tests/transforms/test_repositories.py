"""The documented rule for the repository of a project: each line of its table, and no address that makes it stumble."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.answers import InvalidAnswer
from transforms.references import ProjectName, parse_repo_url
from transforms.repositories import Addresses, Choice, choose_repository, decipher_addresses, read_repository

OWN = "https://github.com/org/proj"


def choose(urls: dict[str, Any], home_page: str | None = None, download_url: str | None = None, name: str = "proj") -> Choice:
    """The choice for a project called proj."""
    return choose_repository(Addresses(title=name, urls=urls, home_page=home_page, download_url=download_url), ProjectName(name))


@pytest.mark.parametrize(
    ("url", "repo"),
    [
        ("https://github.com/org/proj", OWN),
        ("http://www.github.com/org/proj.git", OWN),
        ("git+https://github.com/org/proj.git@v1.0#egg=proj", OWN),
        ("git@github.com:org/proj.git", OWN),
        ("scm:git:https://github.com/org/proj.git", OWN),
        ("github.com/org/proj", OWN),
        (" <https://github.com/org/proj> ", OWN),
        ("https://github.com/org/proj/tree/main/packages/proj", OWN),
        ("https://github.com/org/proj/issues", OWN),
        ("https://gitlab.com/group/sub/proj/-/issues", "https://gitlab.com/group/sub/proj"),
        ("https://github.com/org", None),
        ("https://github.com/sponsors/org", None),
        ("https://github.com/orgs/org/repositories", None),
        ("https://github.com/org/proj/actions/workflows/ci.yml/badge.svg?branch=main", None),
        ("https://img.shields.io/github/stars/org/proj", None),
        ("https://org.github.io/proj/", None),
        ("https://gist.github.com/org/1234", None),
        ("https://user:secret@github.com/org/proj", None),
        ("https://proj.readthedocs.io", None),
        ("UNKNOWN", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_which_addresses_lie_in_a_repository(url: object, repo: str | None) -> None:
    """Every spelling of a repository, and the pages that look like one."""
    found = read_repository(url)
    assert (found.url if found else None) == repo


@pytest.mark.parametrize(
    ("urls", "home_page", "expected", "named_by"),
    [
        ({"Homepage": "https://github.com/org/site", "Source Code": OWN}, None, OWN, "Source Code"),
        ({"GitHub": "https://github.com/mirror/proj", "Repository": OWN}, None, OWN, "Repository"),
        ({"Source": "https://proj.example.org", "Code": OWN}, None, OWN, "Code"),
        ({"Source": "https://git.example.org/org/proj"}, None, "https://git.example.org/org/proj", "Source"),
        ({"Homepage": "https://git.example.org/org/proj"}, None, None, None),
        ({}, OWN, OWN, "home_page"),
        ({"Issues": f"{OWN}/issues", "Changelog": f"{OWN}/blob/main/CHANGES"}, "https://proj.example.org", OWN, "Issues"),
        ({"Theme": "https://github.com/some/theme"}, None, None, None),
        ({"My fork": OWN}, None, OWN, "My fork"),
        ({"Funding": OWN}, None, None, None),
        ({"Homepage": "https://github.com/pypa/sampleproject"}, None, None, None),
        ({"Source": "https://github.com/yourusername/proj"}, None, None, None),
        ({"Documentation": "https://github.com/readthedocs/sphinx_rtd_theme", "Bug Tracker": f"{OWN}/issues"}, None, OWN, "Bug Tracker"),
    ],
)
def test_the_first_step_with_a_candidate_decides(
    urls: dict[str, Any], home_page: str | None, expected: str | None, named_by: str | None
) -> None:
    """Labels of the repository before the home page, that before pages of the project, and strangers only under the project's name."""
    choice = choose(urls, home_page)
    assert (choice.repo_url, choice.named_by) == (expected, named_by)
    assert choice.rivals == ()


def test_sampleproject_itself_has_its_repository() -> None:
    """What is a leftover elsewhere is the project's own here."""
    choice = choose({"Homepage": "https://github.com/pypa/sampleproject"}, name="sampleproject")
    assert choice.repo_url == "https://github.com/pypa/sampleproject"


def test_the_download_page_comes_after_the_home_page() -> None:
    """An archive of GitHub's lies in the repository."""
    assert choose({}, "https://proj.example.org", f"{OWN}/archive/1.0.tar.gz").named_by == "download_url"


def test_among_several_the_one_called_as_the_project_wins() -> None:
    """The tracker of another repository is no rival to the project's own."""
    choice = choose({"Issues": "https://github.com/org/tracker/issues", "Changelog": f"{OWN}/releases"})
    assert choice.repo_url == OWN


def test_several_as_good_are_no_choice_and_named() -> None:
    """Nothing is guessed."""
    choice = choose({"Issues": "https://github.com/org/a/issues", "Changelog": "https://github.com/org/b/releases"})
    assert choice == Choice(rivals=("https://github.com/org/a", "https://github.com/org/b"))


def document(**info: Any) -> bytes:
    """A document of PyPI."""
    return json.dumps({"info": {"name": "Proj", "project_urls": None, "home_page": "", "download_url": None, **info}}).encode()


def test_a_document_is_read() -> None:
    """Null and absent are nothing; the display name is the title."""
    read = decipher_addresses(document(project_urls={"Source": OWN}), ProjectName("proj"))
    assert (read.title, read.urls) == ("Proj", {"Source": OWN})


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", document(name="other"), document(project_urls=["x"]), document(home_page=1)])
def test_a_document_of_another_shape_is_refused(body: bytes) -> None:
    """A field that changed its type is no answer."""
    with pytest.raises(InvalidAnswer):
        decipher_addresses(body, ProjectName("proj"))


LABELS = st.sampled_from(["Source", "source", "Homepage", "Issues", "Changelog", "Theme", "Download", "", "Funding"])
URLS = st.one_of(
    st.sampled_from([OWN, "https://github.com/org/b", "https://gitlab.com/a/b/proj", "git+https://github.com/o/n@", "https://[::1", "//"]),
    st.text(max_size=30),
    st.none(),
    st.integers(),
)


@given(urls=st.dictionaries(LABELS, URLS, max_size=5), home=URLS.filter(lambda url: not isinstance(url, int)), reverse=st.booleans())
def test_any_addresses_give_one_choice(urls: dict[str, Any], home: str | None, *, reverse: bool) -> None:
    """Total; a chosen address is a repository in its one spelling, and the order of the labels changes nothing."""
    choice = choose(urls, home)
    assert choice.repo_url is None or (choice.rivals == () and parse_repo_url(choice.repo_url).url == choice.repo_url)
    if reverse:
        assert choose(dict(reversed(urls.items())), home).repo_url == choice.repo_url
