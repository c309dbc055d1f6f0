"""What sources name: each grammar read as its specification has it, and nothing any bytes do but rows or mistakes with their line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.candidates import Candidate, Listing, fuse, repository_of
from transforms.references import ProjectName
from transforms.source_kinds import READERS, Kind, detect


def read(kind: Kind, text: str | bytes) -> Listing:
    """Read a file of a kind."""
    return READERS[kind](text.encode() if isinstance(text, str) else text, "file")


def named(listing: Listing) -> list[tuple[str, int | None]]:
    """Names and lines; the listing must have no mistake."""
    assert listing.mistakes == []
    return [(candidate.name, candidate.line) for candidate in listing.candidates]


def told(listing: Listing) -> list[tuple[int | None, str]]:
    """The mistakes with their lines."""
    return [(mistake.line, mistake.message) for mistake in listing.mistakes]


def test_names_are_normalised() -> None:
    """Any spelling PEP 503 holds for one, comments and addresses on PyPI."""
    listing = read(Kind.NAMES, "\ufeffDjango_Scheduler  # a comment\r\n\r\n# nothing\nhttps://pypi.org/project/zope.interface/5.0/\n")
    assert named(listing) == [("django-scheduler", 1), ("zope-interface", 4)]
    assert listing.candidates[0].title == "Django_Scheduler"


def test_every_bad_line_is_told() -> None:
    """No mistake hides another."""
    listing = read(Kind.NAMES, "good\nbad name\n-x\nfine\nhttps://example.org/x\n")
    assert [candidate.name for candidate in listing.candidates] == ["good", "fine"]
    assert [line for line, _ in told(listing)] == [2, 3, 5]


def test_requirements_as_pip_reads_them() -> None:
    """Extras, versions, markers, hashes, continued lines, options; the line is the first of a requirement."""
    text = """\
-i https://index.example.org/simple
--no-binary :all:
-c constraints.txt
-r base.txt  # more
--requirement=dev/extra.txt
Django[argon2]>=4.2,<6 ; python_version >= "3.10"  # the framework
psycopg2-binary==2.9.9 \\
    --hash=sha256:00 \\
    --hash=sha256:11
-e git+https://github.com/jazzband/django-recurrence.git@1.11#egg=django-recurrence&subdirectory=x
-e .
./local/thing
wheels/thing-1.0-py3-none-any.whl
Werkzeug @ git+ssh://git@github.com/pallets/werkzeug@main
https://example.org/files/zope_interface-5.0-py3-none-any.whl
git+https://github.com/a/b
six"""
    listing = read(Kind.REQUIREMENTS, text)
    assert named(listing) == [
        ("django", 6),
        ("psycopg2-binary", 7),
        ("django-recurrence", 10),
        ("werkzeug", 14),
        ("zope-interface", 15),
        ("six", 17),
    ]
    assert [candidate.repo_url for candidate in listing.candidates if candidate.repo_url] == [
        "https://github.com/jazzband/django-recurrence",
        "https://github.com/pallets/werkzeug",
    ]
    assert [(include.path, include.line) for include in listing.includes] == [("base.txt", 4), ("dev/extra.txt", 5)]
    assert [remark.line for remark in listing.remarks] == [11, 12, 13, 16]


def test_bad_requirements_are_told_with_their_reason() -> None:
    """What packaging says of a requirement, and the line."""
    mistakes = told(read(Kind.REQUIREMENTS, "ok\nfoo bar\nx>=\n-r\n-?\n"))
    assert [line for line, _ in mistakes] == [2, 3, 4, 5]
    assert "PEP 508" in mistakes[0][1]
    assert "-r names nothing" in mistakes[2][1]


def test_pyproject() -> None:
    """Required, optional, groups, Poetry's and uv's tables; the project itself is not among them, its sources tell repositories."""
    text = """\
[project]
name = "Mine"
dependencies = ["Django>=4", 'six; python_version < "3"']
[project.optional-dependencies]
all = ["mine[a]", "celery"]
[dependency-groups]
dev = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
[tool.poetry.dependencies]
python = "^3.11"
requests = {git = "https://github.com/psf/requests.git", branch = "main"}
near = {path = "../near"}
[tool.poetry.group.docs.dependencies]
sphinx = "*"
[tool.uv.sources]
celery = {git = "https://github.com/celery/celery"}
"""
    listing = read(Kind.PYPROJECT, text)
    assert named(listing)[:-1] == [
        ("django", 3),
        ("six", 3),
        ("celery", 5),
        ("pytest", 7),
        ("ruff", 8),
        ("requests", 11),
        ("sphinx", 14),
    ]
    fused = {candidate.name: candidate.repo_url for candidate in fuse(listing.candidates)}
    assert fused["requests"] == "https://github.com/psf/requests"
    assert fused["celery"] == "https://github.com/celery/celery"
    assert [remark.line for remark in listing.remarks] == [12]


def test_pyproject_of_a_wrong_shape_is_told() -> None:
    """Values of other types are mistakes, not tracebacks."""
    listing = read(Kind.PYPROJECT, 'dependency-groups = 3\n[project]\ndependencies = "x"\noptional-dependencies = {a = [1]}\n')
    assert len(told(listing)) == 3


def test_uv_lock() -> None:
    """Packages from an index and from git; folders are remarks."""
    text = """\
version = 1
[[package]]
name = "mine"
source = { virtual = "." }
[[package]]
name = "Flask"
version = "3.0"
source = { registry = "https://index.example.org/simple" }
[[package]]
name = "requests"
source = { git = "https://github.com/psf/requests?rev=1#abc" }
"""
    listing = read(Kind.UV_LOCK, text)
    assert named(listing) == [("flask", 5), ("requests", 9)]
    assert listing.candidates[1].repo_url == "https://github.com/psf/requests"
    assert [remark.line for remark in listing.remarks] == [2]


def test_pylock() -> None:
    """Version 1 of PEP 751; another version is refused."""
    text = 'lock-version = "1.0"\n[[packages]]\nname = "attrs"\n[[packages]]\nname = "here"\ndirectory = {path = "."}\n'
    listing = read(Kind.PYLOCK, text)
    assert named(listing) == [("attrs", 2)]
    assert [remark.line for remark in listing.remarks] == [4]
    assert told(read(Kind.PYLOCK, 'lock-version = "2.0"\n'))[0][0] == 1


def test_a_broken_toml_is_told_with_its_line() -> None:
    """The line tomllib names, and none of the rest."""
    assert told(read(Kind.PYPROJECT, "[project]\nname = \n"))[0][0] == 2


CYCLONEDX: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "metadata": {"component": {"purl": "pkg:pypi/mine@1"}},
    "components": [
        {
            "purl": "pkg:pypi/Django@5.0?extra=x",
            "externalReferences": [{"type": "vcs", "url": "https://github.com/django/django"}],
            "components": [{"purl": "pkg:pypi/zope.interface"}],
        },
        {"purl": "pkg:npm/left-pad@1"},
        {"name": "nothing"},
    ],
}


def test_cyclonedx_json() -> None:
    """Components of PyPI at any depth, with their line; the others are counted."""
    listing = read(Kind.CYCLONEDX, json.dumps(CYCLONEDX, indent=1))
    assert named(listing) == [("django", 10), ("zope-interface", 19)]
    assert listing.candidates[0].repo_url == "https://github.com/django/django"
    assert listing.remarks[0].message.startswith("2 components have")


def test_cyclonedx_xml() -> None:
    """The same in XML, whatever the version of its namespace."""
    text = """<?xml version="1.0"?>
<bom xmlns="http://cyclonedx.org/schema/bom/1.6"><metadata><component><purl>pkg:pypi/mine@1</purl></component></metadata>
<components>
<component type="library"><name>Django</name><purl>pkg:pypi/django@5.0</purl>
<components><component><purl>pkg:pypi/asgiref</purl></component></components></component>
<component><purl>pkg:npm/x@1</purl></component>
</components></bom>"""
    listing = read(Kind.CYCLONEDX, text)
    assert sorted(named(listing)) == [("asgiref", 5), ("django", 4)]
    assert listing.remarks[0].message.startswith("1 component has")


def test_an_xml_that_would_grow_is_refused() -> None:
    """A document type is a mistake with its line, before any entity is declared."""
    bomb = '<?xml version="1.0"?>\n<!DOCTYPE b [<!ENTITY a "x"><!ENTITY c "&a;&a;">]>\n<bom xmlns="http://cyclonedx.org/schema/bom/1.6">&c;</bom>'
    mistakes = told(read(Kind.CYCLONEDX, bomb))
    assert mistakes[0][0] == 2
    assert "DOCTYPE" in mistakes[0][1]


def test_spdx_json_and_graph() -> None:
    """SPDX 2 by its external references, SPDX 3 by its package URLs."""
    purl = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:pypi/Flask@3"}
    second = {"spdxVersion": "SPDX-2.3", "packages": [{"name": "root"}, {"name": "Flask", "externalRefs": [purl]}]}
    assert [name for name, _ in named(read(Kind.SPDX, json.dumps(second)))] == ["flask"]
    third = {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [{"type": "CreationInfo"}]}
    third["@graph"] = [{"type": "software_Package", "software_packageUrl": "pkg:pypi/Flask@3"}]
    assert [name for name, _ in named(read(Kind.SPDX, json.dumps(third)))] == ["flask"]


def test_spdx_tag_value() -> None:
    """The lines of the tag-value form."""
    text = "SPDXVersion: SPDX-2.3\nPackageName: root\n\nPackageName: Flask\nExternalRef: PACKAGE-MANAGER purl pkg:pypi/flask@3.0\n"
    listing = read(Kind.SPDX, text)
    assert named(listing) == [("flask", 5)]
    assert listing.remarks[0].message.startswith("1 component has")


@pytest.mark.parametrize(
    "text",
    [
        '["django", "Flask"]',
        '[["django", "5.0"], ["flask", "3"]]',
        '[{"name": "django"}, {"name": "flask"}]',
        "name,version\ndjango,5\nflask,3",
        "django 5.0\nflask",
    ],
)
def test_classifier_lists(text: str) -> None:
    """The forms in which people save what PyPI lists for a classifier."""
    assert [name for name, _ in named(read(Kind.CLASSIFIER_LIST, text))] == ["django", "flask"]


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("uv.lock", "", Kind.UV_LOCK),
        ("pylock.dev.toml", "", Kind.PYLOCK),
        ("pyproject.toml", "", Kind.PYPROJECT),
        ("requirements-dev.txt", "", Kind.REQUIREMENTS),
        ("x.toml", "[project]\nname='a'", Kind.PYPROJECT),
        ("x.toml", "lock-version='1.0'", Kind.PYLOCK),
        ("sbom.json", json.dumps(CYCLONEDX), Kind.CYCLONEDX),
        ("sbom.json", '{"spdxVersion": "SPDX-2.3"}', Kind.SPDX),
        ("a.spdx", "SPDXVersion: SPDX-2.3", Kind.SPDX),
        ("-", "SPDXVersion: SPDX-2.3\n", Kind.SPDX),
        ("-", "<bom xmlns='http://cyclonedx.org/schema/bom/1.4'/>", Kind.CYCLONEDX),
        ("list.json", '["a"]', Kind.CLASSIFIER_LIST),
        ("list.txt", "a\nb  # c\n", Kind.NAMES),
        ("list.txt", "a==1\nb\n", Kind.REQUIREMENTS),
        ("list.txt", "a 1.0\n", None),
        ("x.json", '{"a": 1}', None),
        ("x.xml", "<a/>", None),
        ("empty", "", None),
    ],
)
def test_kinds_are_told_apart(name: str, text: str, kind: Kind | None) -> None:
    """By name where that is fixed, else by content; never by a guess."""
    assert detect(name, text.encode()) is kind


def test_what_is_not_utf_8_is_told_with_its_line() -> None:
    """The first bad byte, and UTF-16 by its name."""
    assert told(read(Kind.NAMES, b"good\nb\xe4d\n"))[0][0] == 2
    assert "UTF-16" in told(read(Kind.REQUIREMENTS, "a".encode("utf-16")))[0][1]


def test_the_first_of_a_name_stays() -> None:
    """Fusing keeps order and the first spelling, and the first repository."""
    made = [
        Candidate(name=ProjectName("a"), title="A", file="x", line=1),
        Candidate(name=ProjectName("b"), title="b", file="x", line=2),
        Candidate(name=ProjectName("a"), title="a", file="y", line=1, repo_url="https://github.com/o/a"),
    ]
    assert [(one.title, one.file, one.repo_url) for one in fuse(made)] == [("A", "x", "https://github.com/o/a"), ("b", "x", None)]


def test_a_revision_is_no_part_of_a_repository() -> None:
    """Also where the address has a user of ssh."""
    assert repository_of("git+ssh://git@github.com/o/n.git@v1.0#egg=n") == "https://github.com/o/n"
    assert repository_of("git+https://github.com/o/n@feature") == "https://github.com/o/n"
    assert repository_of("https://example.org/o/n") is None


SEEDS = [
    "a==1 ; x\n-r b\n-e .\n--hash=a\\\n",
    '[project]\nname="a"\ndependencies=["b",1]\n[tool.poetry.dependencies]\nx={git=3}\n[[package]]\nname="c"\nsource={git="x"}\n[[packages]]\nname=1',
    json.dumps(CYCLONEDX),
    '{"spdxVersion":"SPDX-2.3","packages":[{"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:pypi/a"}]}]}',
    '{"@graph":[{"type":"software_Package","externalIdentifier":[{"identifier":"pkg:pypi/a"}]}]}',
    "SPDXVersion: SPDX-2.3\nPackageName: a\nExternalRef: PACKAGE-MANAGER purl pkg:pypi/a\n",
    '<bom xmlns="http://cyclonedx.org/schema/bom/1.4"><components><component><purl>pkg:pypi/a</purl></component></components></bom>',
    '["a",["b","1"],{"name":"c"}]',
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid document with some pieces cut out, doubled or replaced."""
    data = draw(st.sampled_from(SEEDS)).encode()
    for _ in range(draw(st.integers(0, 4))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 12))
        data = (
            data[:at]
            + draw(st.one_of(st.binary(max_size=6), st.sampled_from([b"null", b"[]", b"{}", b"1", b'"', b"<!DOCTYPE a>"])))
            + data[at + length :]
        )
    return data


@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode), damaged()))
def test_any_bytes_give_rows_or_mistakes(data: bytes) -> None:
    """Every reader is total: names that are normalised, lines that exist, messages of one line."""
    lines = len(data.splitlines()) + 1 + data.count(b"\r") + data.count(b"\n")
    detect("any", data)
    for kind, reader in READERS.items():
        listing = reader(data, "file")
        for candidate in listing.candidates:
            assert candidate.name == candidate.name.lower(), kind
            assert candidate.line is None or 1 <= candidate.line <= lines
        for mistake in (*listing.mistakes, *listing.remarks):
            assert mistake.message.isprintable(), kind
            assert mistake.file == "file"
            assert mistake.line is None or 1 <= mistake.line <= lines, kind


@given(depth=st.sampled_from([10, 1_000, 100_000]))
def test_nesting_ends_nowhere_but_in_a_mistake(depth: int) -> None:
    """Brackets a hundred thousand deep are read or refused."""
    for kind, text in (
        (Kind.PYPROJECT, "a = " + "[" * depth + "]" * depth),
        (Kind.CLASSIFIER_LIST, "[" * depth + "]" * depth),
        (Kind.CYCLONEDX, '{"bomFormat":"CycloneDX","components":' + '[{"components":' * depth + "[]" + "}]" * depth + "}"),
        (Kind.REQUIREMENTS, "a ; " + "(" * depth + "x" + ")" * depth),
    ):
        listing = read(kind, text)
        assert not listing.candidates
        assert depth < 1_000 or listing.mistakes or kind is Kind.REQUIREMENTS
