"""The repository of a project, by what PyPI's document of it says: one documented rule, decided from texts alone.

Fields: ``info.project_urls``, ``info.home_page`` and ``info.download_url`` of https://docs.pypi.org/api/json/. Labels are compared as
https://packaging.python.org/en/latest/specifications/well-known-project-urls/ says: without punctuation, spaces and case.
``docs/catalog.md`` has the rule as a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from transforms.answers import Field, decode_object, filled_text, mapping, raise_if_any, read_fields, text
from transforms.pypi import HOMEPAGE_LABELS
from transforms.references import GITHUB, InvalidReference, ProjectName, RepoReference, parse_repo_url

# Labels of the repository itself; the first of them that names one decides.
SOURCE_LABELS = (
    *("source", "repository", "sourcecode", "github", "code", "gitlab", "codeberg", "bitbucket", "repo", "git", "vcs"),
    *("sourcerepository", "githubrepository", "gitrepository", "githubrepo", "gitrepo", "sources", "sourceurl", "repositoryurl"),
)
DOWNLOAD_LABELS = ("download",)
# Labels of pages that belong to the project, and often lie within its repository.
PLACE_LABELS = frozenset(
    {"issues", "issue", "issuetracker", "bugs", "bug", "bugtracker", "bugreports", "bugreport", "tracker", "reportissues", "reportbugs"}
    | {"changelog", "changes", "changelogs", "history", "releasenotes", "releases", "whatsnew", "news"}
    | {"documentation", "docs", "readme", "wiki", "discussions", "contributing", "ci", "pullrequests", "license", "security"}
)
# Labels of pages that are about somebody else.
FOREIGN_LABELS = frozenset({"funding", "sponsor", "sponsors", "sponsoring", "donate", "donation", "donations", "author", "organization"})

# Left over from templates and themes: named by many projects, the repository of one.
LEFTOVERS = frozenset(
    {
        "github:pypa/sampleproject",
        "github:readthedocs/sphinx_rtd_theme",
        "github:audreyr/cookiecutter-pypackage",
        "github:actions/setup-python",
    }
)
PLACEHOLDER_OWNERS = frozenset({"username", "yourusername", "your-username", "youruser", "your_username", "yourname", "your-name"})
_KNOWN_HOSTS = frozenset({GITHUB, "gitlab.com", "bitbucket.org", "codeberg.org", "git.sr.ht", "salsa.debian.org", "framagit.org"})

_UNSPOKEN = re.compile(r"[!-/:-@\[-`{-~\s]")
_AROUND = " \t\r\n<>\"'`,;"
_BARE = re.compile(r"(?:www\.)?(?:github\.com|gitlab\.com|bitbucket\.org|codeberg\.org)/", re.IGNORECASE)
_PICTURE = re.compile(r"\.(?:svg|png|gif|jpe?g)(?:[?#].*)?$", re.IGNORECASE)
_REVISION = re.compile(r"(?<=[A-Za-z0-9_.-])@[^/@]*$")

_FIELDS = (
    Field("name", "info.name", filled_text),
    Field("project_urls", "info.project_urls", mapping, is_nullable=True, is_optional=True),
    Field("home_page", "info.home_page", text, is_nullable=True, is_optional=True),
    Field("download_url", "info.download_url", text, is_nullable=True, is_optional=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """What a project says of where it lives: its display name, and the addresses in the three fields."""

    title: str
    urls: Mapping[str, Any]
    home_page: str | None
    download_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The repository of a project: its canonical address and the field that named it, or ``None`` and the candidates that were as good."""

    repo_url: str | None = None
    named_by: str | None = None
    rivals: tuple[str, ...] = ()


def decipher_addresses(body: bytes, name: ProjectName) -> Addresses:
    """Read ``GET /pypi/{name}/json``; raises InvalidAnswer when it is none, or that of another project."""
    problems: list[str] = []
    values = read_fields(decode_object(body), _FIELDS, problems)
    if not problems and ProjectName(canonicalize_name(values["name"])) != name:
        problems.append(f"info.name: is {values['name']!r}, which is another project")
    raise_if_any(problems)
    return Addresses(
        title=values["name"].strip(), urls=values["project_urls"] or {}, home_page=values["home_page"], download_url=values["download_url"]
    )


def choose_repository(addresses: Addresses, name: ProjectName) -> Choice:
    """Choose the repository of the project with this PEP 503 name, in five steps; the first step with a candidate decides.

    1. labels of the repository (``SOURCE_LABELS``), in their order; 2. the home page; 3. the download page; 4. pages of the project
    (``PLACE_LABELS``), together; 5. any other label, but only for a repository that is called as the project is.
    Where a step has several, the one that is called as the project is; when none or several are, there is no choice.
    """
    labelled = _by_label(addresses.urls)
    for label in SOURCE_LABELS:
        if found := _repositories(labelled.get(label, ()), name, is_named=True):
            return _decide(found, name)
    home = [entry for label in HOMEPAGE_LABELS for entry in labelled.get(label, ())] + [("home_page", addresses.home_page)]
    download = [entry for label in DOWNLOAD_LABELS for entry in labelled.get(label, ())] + [("download_url", addresses.download_url)]
    places = [entry for label, entries in labelled.items() if label in PLACE_LABELS for entry in entries]
    for entries in (home, download, places):
        if found := _repositories(entries, name):
            return _decide(found, name)
    known = {*SOURCE_LABELS, *HOMEPAGE_LABELS, *DOWNLOAD_LABELS, *PLACE_LABELS, *FOREIGN_LABELS}
    others = [entry for label, entries in labelled.items() if label not in known for entry in entries]
    namesakes = [(label, repo) for label, repo in _repositories(others, name) if _is_called(repo, name)]
    return _decide(namesakes, name) if namesakes else Choice()


def _by_label(urls: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    labelled: dict[str, list[tuple[str, Any]]] = {}
    for label, url in urls.items():
        labelled.setdefault(_UNSPOKEN.sub("", label).lower(), []).append((label, url))
    return labelled


def _repositories(entries: Iterable[tuple[str, Any]], name: ProjectName, *, is_named: bool = False) -> list[tuple[str, RepoReference]]:
    """The distinct repositories among labelled addresses; a host of somebody's own counts only where the label says repository."""
    found: dict[str, tuple[str, RepoReference]] = {}
    for label, url in entries:
        repo = read_repository(url)
        if repo is not None and (is_named or repo.forge in _KNOWN_HOSTS) and not _is_leftover(repo, name):
            found.setdefault(repo.subject, (label, repo))
    return list(found.values())


def read_repository(url: object) -> RepoReference | None:
    """Read the repository that an address lies in; ``None`` for a page of an account or a sponsor, for a picture, or for any other page."""
    if not isinstance(url, str):
        return None
    address = url.strip(_AROUND).removeprefix("scm:git:")
    if _BARE.match(address):
        address = f"https://{address}"
    if _PICTURE.search(address):
        return None
    if address.startswith("git+"):
        address = _REVISION.sub("", address.partition("#")[0])
    try:
        return parse_repo_url(address)
    except InvalidReference:
        return None


def _is_leftover(repo: RepoReference, name: ProjectName) -> bool:
    return (repo.subject in LEFTOVERS and not _is_called(repo, name)) or repo.owner.lower() in PLACEHOLDER_OWNERS


def _is_called(repo: RepoReference, name: ProjectName) -> bool:
    return ProjectName(canonicalize_name(repo.name)) == name


def _decide(found: list[tuple[str, RepoReference]], name: ProjectName) -> Choice:
    namesakes = [(label, repo) for label, repo in found if _is_called(repo, name)]
    chosen = found if len(found) == 1 else namesakes
    if len(chosen) == 1:
        return Choice(repo_url=chosen[0][1].url, named_by=chosen[0][0])
    return Choice(rivals=tuple(repo.url for _, repo in found))
