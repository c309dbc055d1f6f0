"""What a curated address points at: a repository on a forge, or a project on PyPI.

People write these by hand in many spellings; one spelling variant more must never mean one harvest more. Everything is
decided from the text alone: nothing is looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

ProjectName = NewType("ProjectName", str)

GITHUB = "github"

_FORGES = {"github.com": GITHUB}
# Not harvested yet. Any other host is a slip of the pen or no forge at all (``githb.com``, ``pypi.org``), and worth a word.
_OTHER_FORGES = ("gitlab.com", "bitbucket.org", "codeberg.org", "git.sr.ht", "launchpad.net", "salsa.debian.org", "framagit.org")
_SELF_HOSTED = ("gitlab", "git", "gitea", "forgejo")  # the first label of a host, as people name their own forge
_NESTING_HOSTS = frozenset({"salsa.debian.org", "framagit.org"})  # GitLab under another name
_REPO_SCHEMES = frozenset({"http", "https", "ssh", "git", "git+http", "git+https", "git+ssh"})
_PYPI_HOSTS = frozenset({"pypi.org", "pypi.python.org", "cheeseshop.python.org"})
_PYPI_PATHS = frozenset({"pypi", "project", "p", "simple"})

# Pages of github.com whose address looks like owner/name but is no repository.
_GITHUB_PAGES = frozenset(
    {"about", "apps", "collections", "enterprise", "explore", "features", "login", "marketplace", "notifications"}
    | {"orgs", "search", "settings", "sponsors", "stars", "topics", "users"}
)
# GitLab nests groups, so the name is the last part before what names a place inside the repository.
_GITLAB_PLACES = frozenset({"-", "tree", "blob", "raw", "commits", "commit", "issues", "merge_requests", "tags", "wikis"})

_SHOWN = 80

# The spelling nearly every entry has, read without taking an address apart: a third of the time of a large catalog.
_PLAIN_REPO = re.compile(r"https?://(?:www\.)?github\.com/([A-Za-z0-9_-]{1,100})/([A-Za-z0-9_-]{1,100})(?:\.git)?/?")
_PLAIN_PROJECT = re.compile(r"https?://pypi\.(?:python\.)?org/(?:pypi|project)/([A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*)/?")

_CREDENTIALS = re.compile(r"(//)[^/?#]*@")
_FOREIGN = re.compile(r"[^!-~]")
_SCP = re.compile(r"[A-Za-z0-9._-]+@([^/:@]+):(?![0-9]+/|/)(.+)")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
_GITHUB_OWNER = re.compile(r"[A-Za-z0-9_-]{1,100}")
_GITHUB_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_PART = re.compile(r"[A-Za-z0-9._~+-]{1,255}")
# The grammar of names: https://packaging.python.org/en/latest/specifications/name-normalization/
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")

_WRITE_REPO = "write https://github.com/owner/name"
_WRITE_OTHER = (
    f"or, marked unsupported for now, a repository on {', '.join(_OTHER_FORGES)} "
    f"or on a host beginning with {', '.join(f'{label}.' for label in _SELF_HOSTED)}"
)
_WRITE_PROJECT = "write the project's name as PyPI shows it, for example django-scheduler"


class InvalidReference(ValueError):
    """The text points at no repository or project; the message says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoReference:
    """A repository as named in the catalog.

    Attributes:
        forge: ``github``, or the host in lower case for a forge that is not harvested yet.
        owner: account, organisation or (GitLab) nested groups, as written.
        name: name of the repository without ``.git``, as written.
    """

    forge: str
    owner: str
    name: str

    @property
    def full_name(self) -> str:
        """``owner/name`` as written."""
        return f"{self.owner}/{self.name}"

    @property
    def subject(self) -> str:
        """``github:owner/name`` in lower case: equal for every spelling of one address."""
        return f"{self.forge}:{self.full_name}".lower()

    @property
    def is_supported(self) -> bool:
        """Whether packhouse can harvest this forge."""
        return self.forge == GITHUB

    @property
    def url(self) -> str:
        """The canonical address; parsing it gives this reference again."""
        host = "github.com" if self.forge == GITHUB else self.forge
        return f"https://{host}/{self.full_name}"


def shown(text: str) -> str:
    """Quote a text for a message: control characters escaped, credentials of an address left out, long texts cut."""
    text = _CREDENTIALS.sub(r"\1...@", text)
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def parse_repo_url(text: str) -> RepoReference:
    """Read the address of a repository in any spelling people use.

    Accepted: http, https, ssh, git and ``git@host:owner/name``; ``www.``, mixed case, a trailing slash, ``.git``, a query,
    a fragment, and anything below the repository such as ``/tree/main``. A forge that is known but not harvested yet is
    not an error, see ``is_supported``; a host that is no known forge is. Raises InvalidReference.
    """
    plain = _PLAIN_REPO.fullmatch(text)
    if plain and plain.group(1).lower() not in _GITHUB_PAGES:
        return RepoReference(forge=GITHUB, owner=plain.group(1), name=plain.group(2))
    text = _clean(text, _WRITE_REPO)
    host, path = _split_repo(text)
    parts = [unquote(part) for part in path.split("/") if part]
    if "." in parts or ".." in parts:
        raise InvalidReference(f"{shown(text)} steps out of its path with dots: {_WRITE_REPO}")
    if host == "api.github.com":
        raise InvalidReference(f"{shown(text)} is an address of GitHub's API: {_WRITE_REPO}")
    if host == "github.com" and parts and parts[0].lower() in _GITHUB_PAGES:
        raise InvalidReference(f"{shown(text)} is a page of GitHub, not a repository: {_WRITE_REPO}")
    if not _is_forge(host):
        raise InvalidReference(f"{shown(text)} is on {shown(host)}, which is no forge packhouse knows: {_WRITE_REPO}, {_WRITE_OTHER}")
    *owners, name = _owner_and_name(host, parts)
    name = _without_git(name)
    shapes = (_GITHUB_OWNER, _GITHUB_NAME) if host == "github.com" else (_PART, _PART)
    if not owners or not shapes[1].fullmatch(name) or name in (".", "..") or not all(shapes[0].fullmatch(owner) for owner in owners):
        raise InvalidReference(f"{shown(text)} names no repository (owner and name): {_WRITE_REPO}")
    return RepoReference(forge=_FORGES.get(host, host), owner="/".join(owners), name=name)


def parse_project_reference(text: str) -> ProjectName:
    """Read a project on PyPI from its name or its address, and give the name normalised as PEP 503 says.

    Accepted: a bare name in any case; the addresses ``/pypi/NAME`` and ``/project/NAME/`` on pypi.org and
    pypi.python.org, with a version or ``json`` behind them. Raises InvalidReference.
    """
    plain = _PLAIN_PROJECT.fullmatch(text)
    if plain:
        return ProjectName(canonicalize_name(plain.group(1)))
    text = _clean(text, _WRITE_PROJECT)
    name = text
    if "/" in text or ":" in text:
        parts = _split_project(text)
        name = unquote(parts[1]) if len(parts) > 1 and parts[0].lower() in _PYPI_PATHS else ""
    if not _PROJECT.fullmatch(name):
        raise InvalidReference(f"{shown(text)} names no project on PyPI: {_WRITE_PROJECT}")
    return ProjectName(canonicalize_name(name))


def _clean(text: str, advice: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidReference(f"is empty: {advice}")
    foreign = _FOREIGN.search(text)
    if foreign:
        raise InvalidReference(f"{shown(text)} has the character {foreign.group()!r}, which no address or name has: {advice}")
    return text


def _split_repo(text: str) -> tuple[str, str]:
    """Host in lower case without ``www.``, and path."""
    scp = _SCP.fullmatch(text)
    if scp:
        return _repo_host(scp.group(1), text), re.split(r"[?#]", scp.group(2))[0]
    try:
        parts = urlsplit(text)
        user, host, path = parts.username, parts.hostname, parts.path
        _ = parts.port  # raises ValueError when it is no port
    except ValueError:
        raise InvalidReference(f"{shown(text)} is not an address: {_WRITE_REPO}") from None
    if parts.scheme not in _REPO_SCHEMES:
        raise InvalidReference(f"{shown(text)} does not begin with https://: {_WRITE_REPO}")
    if user is not None and "ssh" not in parts.scheme:
        raise InvalidReference(f"an address with a user or password does not belong in a catalog: {_WRITE_REPO}")
    return _repo_host(host or "", text), path


def _split_project(text: str) -> list[str]:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        raise InvalidReference(f"{shown(text)} is not an address: {_WRITE_PROJECT}") from None
    if parts.scheme not in ("http", "https") or host.removeprefix("www.") not in _PYPI_HOSTS:
        raise InvalidReference(f"{shown(text)} is not an address on PyPI: {_WRITE_PROJECT}")
    return [part for part in parts.path.split("/") if part]


def _repo_host(text: str, address: str) -> str:
    host = text.lower().rstrip(".").removeprefix("www.")
    if not _HOST.fullmatch(host):
        raise InvalidReference(f"{shown(address)} names no host: {_WRITE_REPO}")
    return host


def _is_forge(host: str) -> bool:
    return host in _FORGES or host in _OTHER_FORGES or host.partition(".")[0] in _SELF_HOSTED


def _owner_and_name(host: str, parts: list[str]) -> list[str]:
    """One or more owners and the name; an empty name when the path is too short."""
    if len(parts) < 2:  # noqa: PLR2004 - an owner and a name
        return [""]
    if host.partition(".")[0] != "gitlab" and host not in _NESTING_HOSTS:
        return parts[:2]
    end = next((i for i, part in enumerate(parts) if i > 1 and part in _GITLAB_PLACES), len(parts))
    return parts[:end]


def _without_git(name: str) -> str:
    # No forge lets a name end in .git, so removing it again and again loses nothing and makes parsing idempotent.
    while name.lower().endswith(".git"):
        name = name[:-4]
    return name
