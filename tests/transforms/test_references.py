from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transforms.references import InvalidReference, parse_project_reference, parse_repo_url

OWNERS = st.from_regex(r"[A-Za-z0-9_-]{1,39}", fullmatch=True).filter(lambda owner: owner.lower() not in {"p", "orgs", "users", "search"})
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,60}", fullmatch=True).filter(
    lambda name: name not in (".", "..") and not name.lower().endswith(".git")
)
PROJECTS = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?", fullmatch=True)
PYPI_HOSTS = ("pypi.org", "pypi.python.org", "www.pypi.org", "PyPI.org", "cheeseshop.python.org")


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/llazzaro/django-scheduler",
        "http://github.com/llazzaro/django-scheduler",
        "https://www.github.com/llazzaro/django-scheduler",
        "https://github.com/llazzaro/django-scheduler/",
        "https://github.com/llazzaro/django-scheduler.git",
        "https://github.com/llazzaro/django-scheduler.git/",
        "https://github.com/llazzaro/django-scheduler/tree/develop/schedule",
        "https://github.com/llazzaro/django-scheduler?tab=readme-ov-file#installation",
        "https://github.com:443/llazzaro/django-scheduler",
        "https://github.com//llazzaro//django-scheduler",
        "HTTPS://GitHub.com/LLazzaro/Django-Scheduler",
        "git@github.com:llazzaro/django-scheduler.git",
        "ssh://git@github.com/llazzaro/django-scheduler.git",
        "ssh://git@github.com:22/llazzaro/django-scheduler",
        "git://github.com/llazzaro/django-scheduler.git",
        "git+https://github.com/llazzaro/django-scheduler.git",
        "https://github.com/llazzaro/django%2Dscheduler",
        "  https://github.com/llazzaro/django-scheduler\n",
    ],
)
def test_spellings_of_one_repository(text):
    """Every spelling people use for one repository is one subject, so it is harvested once."""
    reference = parse_repo_url(text)
    assert reference.subject == "github:llazzaro/django-scheduler"
    assert reference.is_supported


def test_case_is_kept_for_people():
    """Owner and name stay as written; only the subject is in lower case."""
    reference = parse_repo_url("https://github.com/Tivix/Django-Cron")
    assert (reference.full_name, reference.subject) == ("Tivix/Django-Cron", "github:tivix/django-cron")


@pytest.mark.parametrize(
    ("text", "forge", "full_name"),
    [
        ("https://gitlab.com/owner/name", "gitlab.com", "owner/name"),
        ("https://gitlab.com/group/sub/name/-/tree/main/docs", "gitlab.com", "group/sub/name"),
        ("https://gitlab.com/owner/name/tree/main", "gitlab.com", "owner/name"),
        ("https://bitbucket.org/owner/name/src/default/", "bitbucket.org", "owner/name"),
        ("https://codeberg.org/owner/name.git", "codeberg.org", "owner/name"),
        ("https://git.sr.ht/~owner/name", "git.sr.ht", "~owner/name"),
        ("git@git.example.org:owner/name.git", "git.example.org", "owner/name"),
        ("https://launchpad.net/owner/name", "launchpad.net", "owner/name"),
        ("https://salsa.debian.org/group/sub/name/-/tree/main", "salsa.debian.org", "group/sub/name"),
        ("https://framagit.org/owner/name", "framagit.org", "owner/name"),
        ("https://gitlab.example.org/group/sub/name", "gitlab.example.org", "group/sub/name"),
        ("https://gitea.example.org/owner/name", "gitea.example.org", "owner/name"),
        ("https://forgejo.example.org/owner/name/src/branch/main", "forgejo.example.org", "owner/name"),
    ],
)
def test_other_forges_are_named_but_not_supported(text, forge, full_name):
    """A repository elsewhere is no mistake: its forge is the host and it is marked as not harvested."""
    reference = parse_repo_url(text)
    assert (reference.forge, reference.full_name, reference.is_supported) == (forge, full_name, False)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://pypi.org/project/x", "pypi.org"),
        ("https://example.com/a/b", "example.com"),
        ("https://gist.github.com/owner/0123456789abcdef", "gist.github.com"),
        ("https://githb.com/owner/name", "githb.com"),
        ("https://github.com.example.org/owner/name", "github.com.example.org"),
        ("https://notgitlab.com/owner/name", "notgitlab.com"),
        ("git@example.org:owner/name.git", "example.org"),
    ],
)
def test_a_host_that_is_no_known_forge_is_a_mistake(text, host):
    """A typo or a page elsewhere is told at once, with the forges that may stand there, instead of being shown as unsupported."""
    with pytest.raises(InvalidReference, match=r"write https://github\.com/owner/name") as caught:
        parse_repo_url(text)
    assert f"is on '{host}', which is no forge" in str(caught.value)
    assert "codeberg.org" in str(caught.value)
    assert "gitea." in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("owner/name", "does not begin with https://"),
        ("github.com/owner/name", "does not begin with https://"),
        ("ftp://github.com/owner/name", "does not begin with https://"),
        ("javascript:alert(1)", "does not begin with https://"),
        ("https:///owner/name", "names no host"),
        ("https://localhost/owner/name", "names no host"),
        ("https://github..com/owner/name", "names no host"),
        ("https://github.com\\owner\\name", "names no host"),
        ("https://github.com", "names no repository"),
        ("https://github.com/owner", "names no repository"),
        ("https://github.com/owner/", "names no repository"),
        ("https://github.com/owner/.git", "names no repository"),
        ("https://github.com/ow%2Fner/name", "names no repository"),
        ("https://github.com/own.er/name", "names no repository"),
        ("https://github.com/owner/../name", "with dots"),
        ("https://github.com/owner/%2e%2e/name", "with dots"),
        ("https://github.com/owner/name/../../other/name", "with dots"),
        ("https://github.com/orgs/jazzband/repositories", "is a page of GitHub"),
        ("https://github.com/topics/django", "is a page of GitHub"),
        ("https://api.github.com/repos/owner/name", "GitHub's API"),
        ("https://user:secret@github.com/owner/name", "user or password"),
        ("https://secret@github.com/owner/name", "user or password"),
        ("https://github.com/owner/na me", "has the character ' '"),
        ("https://github.com/owner/na\x00me", "has the character '\\x00'"),
        ("https://g\u0131thub.com/owner/name", "has the character '\u0131'"),
        ("https://[::1/owner/name", "is not an address"),
        ("https://github.com:port/owner/name", "is not an address"),
    ],
)
def test_nonsense_repository(text, reason):
    """What names no repository is refused with the reason and what to write."""
    with pytest.raises(InvalidReference, match=r"write https://github\.com/owner/name") as caught:
        parse_repo_url(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize("text", ["https://user:secret@github.com/owner/name", "https://secret@github.com/ow ner", "x://secret@github.com"])
def test_a_password_is_not_repeated(text):
    """A message about an address with credentials in it does not print them."""
    with pytest.raises(InvalidReference) as caught:
        parse_repo_url(text)
    assert "secret" not in str(caught.value)


@settings(deadline=None)
@given(st.text() | st.text(alphabet="htps:/@.gitub#?%-_ ~[]\\0").map(lambda text: "https://" + text))
@example("https://github.com/a/b\ud800")
@example("git@:x/y")
@example("https://github.com:99999999/a/b")
def test_repo_url_is_total(text):
    """Any text gives a reference or InvalidReference with a printable message, never another error."""
    reference, message = None, ""
    try:
        reference = parse_repo_url(text)
    except InvalidReference as error:
        message = str(error)
    assert message.isprintable()
    assert message or (reference.owner and reference.name and parse_repo_url(reference.url) == reference)


@settings(deadline=None)
@given(st.text() | st.text(alphabet="htps:/pyi.org-_ []\\0").map(lambda text: "http://pypi.org/" + text))
def test_project_reference_is_total(text):
    """Any text gives a project name that stands for itself, or InvalidReference, never another error."""
    name, message = "", ""
    try:
        name = parse_project_reference(text)
    except InvalidReference as error:
        message = str(error)
    assert message.isprintable()
    assert message or parse_project_reference(name) == name


@settings(deadline=None)
@given(
    st.builds("https://github.com/{}/{}".format, OWNERS, NAMES)
    | st.builds("https://gitlab.com/{}/{}/{}".format, OWNERS, OWNERS, NAMES)
    | st.builds("https://codeberg.org/{}/{}/src/branch/main".format, OWNERS, NAMES)
    | st.builds("https://github.com/{}/{}.git.GIT".format, OWNERS, NAMES)
)
def test_canonical_address_is_a_fixed_point(text):
    """Parsing the canonical address of a reference gives the same reference."""
    try:
        reference = parse_repo_url(text)
    except InvalidReference:
        return  # a page of GitHub met by chance
    assert parse_repo_url(reference.url) == reference


@settings(deadline=None)
@given(
    OWNERS,
    NAMES,
    st.sampled_from(["https://", "http://", "HTTPS://", "ssh://git@", "git+https://", "git://"]),
    st.sampled_from(["github.com/", "www.github.com/", "GitHub.com/", "github.com:443/", "github.com./"]),
    st.sampled_from(["", "/", ".git", ".GIT/", "/tree/main", "?a=b", "#readme"]),
    st.booleans(),
)
def test_variants_are_one_subject(owner, name, scheme, host, tail, is_shouted):
    """Scheme, www, case, suffixes and what follows the name never change the subject."""
    path = f"{owner}/{name}"
    plain = f"https://github.com/{path}"
    variant = scheme + host + (path.upper() if is_shouted else path) + tail
    try:
        expected = parse_repo_url(plain)
    except InvalidReference:
        with pytest.raises(InvalidReference):
            parse_repo_url(variant)
        return
    assert expected.subject == f"github:{path}".lower()
    assert parse_repo_url(variant).subject == expected.subject


@pytest.mark.parametrize("host", PYPI_HOSTS)
@pytest.mark.parametrize(
    "path", ["pypi/Django.Scheduler", "pypi/django-scheduler/0.12.0", "project/django_scheduler/", "pypi/DJANGO--SCHEDULER/json"]
)
def test_addresses_of_one_project(host, path):
    """The legacy and the present address of a project, in any spelling of its name, give the name as PEP 503 normalises it."""
    assert parse_project_reference(f"http://{host}/{path}") == "django-scheduler"
    assert parse_project_reference(f"https://{host}/{path}#files") == "django-scheduler"


@settings(deadline=None)
@given(
    PROJECTS, st.sampled_from(["{}", " {} ", "http://pypi.python.org/pypi/{}", "HTTP://PYPI.PYTHON.ORG/pypi/{}/"]), st.sampled_from("-_.")
)
def test_variants_are_one_project(name, spelling, separator):
    """Case, separators and the address around a name never change the project."""
    expected = parse_project_reference(name)
    variant = name.swapcase().replace("-", separator)
    assert parse_project_reference(spelling.format(variant)) == expected
    assert expected == expected.lower()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("-", "names no project"),
        ("django scheduler", "has the character ' '"),
        ("django-scheduler==0.12", "names no project"),
        ("django[argon2]", "names no project"),
        ("n/a", "is not an address on PyPI"),
        ("http://pypi.python.org/pypi", "names no project"),
        ("http://pypi.python.org/pypi/", "names no project"),
        ("http://pypi.python.org/user/llazzaro/", "names no project"),
        ("http://pypi.python.org/pypi/a%2Fb", "names no project"),
        ("ftp://pypi.python.org/pypi/django", "is not an address on PyPI"),
        ("http://test.pypi.org/project/django/", "is not an address on PyPI"),
        ("https://github.com/llazzaro/django-scheduler", "is not an address on PyPI"),
        ("http://[::1/pypi/django", "is not an address"),
        ("django\u017f", "has the character '\u017f'"),
    ],
)
def test_nonsense_project(text, reason):
    """What names no project on PyPI is refused with the reason and what to write."""
    with pytest.raises(InvalidReference, match="write the project's name") as caught:
        parse_project_reference(text)
    assert reason in str(caught.value)
