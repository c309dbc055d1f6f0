"""Fuzzing: whatever a service, a catalog or a client sends, a parser returns or raises what it declares, and nothing else.

Answers of the sandbox are changed where it hurts: fields vanish, change type, grow beyond every range, nest without end; and as bytes.
``make search`` tries two thousand changes of each where ``make test`` tries a few.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.filters import parse_time
from api.pages import parse_window
from extractors.batch_verdict import judge_batch, points, quota_headers, read_content
from extractors.judgement import block_reason, read_date, read_instant, read_retry_after
from extractors.links import count_pages, next_link
from extractors.verdict import judge
from flows.asking import divided
from flows.past_window import BackfillOptions
from sandbox.server import running
from settings import parse_age
from tests.conftest import NOW, Bench, prompt_world
from transforms import cells
from transforms.answers import InvalidAnswer
from transforms.clocks import skew_of
from transforms.commits import bot_login, decipher_commits, decipher_history
from transforms.github import decipher_head, decipher_participants_page, decipher_probe, decipher_repo, decipher_weeks
from transforms.index import decipher_index, decipher_status, read_index
from transforms.known import Known
from transforms.observations import CaptureView, Gathering
from transforms.past import decipher_star_weeks
from transforms.pypi import choose_license, decipher_project
from transforms.readings import has_next
from transforms.references import InvalidReference, parse_project_reference, parse_repo_url, shown
from transforms.times import parse_instant, parse_moment
from transforms.versions import is_legacy, is_prerelease, is_valid_requires_python, parse_version, sort_versions
from warehouse.folder import DataFolder
from warehouse.landing import read_captures

SLUGS = ("django-scheduler", "django-calendarium")
NESTED = "as deep as no parser goes"  # stands for lists in lists, which Python would not walk through
DEPTHS = (100, 300, 2_000, 100_000)
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 1.5, 2**31, 2**63 - 1, 2**63, 2**64, 10**400, 1e308, float("nan"), "", " ", "x", "\x00", "\ud800", "é" * 5000,
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z", "2026-02-15T22:19:55Z", "1.0", "1!2.post3.dev4+5", "=1+1",
    "<script>", "http://169.254.169.254/", [], {}, [[]], [None], ["x"], [1, 2, 3], {"": ""}, {"id": None}, NESTED,
)  # fmt: skip


@lru_cache
def answers() -> Mapping[str, list[CaptureView]]:
    """Landed answers of the sandbox, by facet: of GraphQL, of REST and of a backfill."""
    from flows.backfilling import backfill_sequence
    from flows.sequence import run_step

    found: dict[str, list[CaptureView]] = {}
    with tempfile.TemporaryDirectory() as name, running(prompt_world(), clock=lambda: NOW) as services:
        for number, graphql in enumerate(("on", "off")):
            bench = Bench(data=Path(name) / graphql, services=services, overrides={"github_graphql": graphql})
            if number == 0:
                bench.overrides["pypi_index_threshold"] = "1"
            bench.harvest(*SLUGS)
            if number == 0:
                asked = BackfillOptions(since=date(2025, 1, 1), until=date(2025, 3, 1), slugs=SLUGS, fixed_now=NOW)
                asyncio.run(backfill_sequence(asked, bench.settings(), run_step=run_step, engine="none"))
            for _file, capture in read_captures(DataFolder(bench.data), on_damaged=lambda _damaged: None):
                found.setdefault(capture.facet, []).append(capture)
    return found


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value[:5]) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def changed(body: bytes, chance: random.Random) -> bytes:
    """The body with one to three things wrong."""
    if chance.random() < 0.15:
        cut, junk = chance.randrange(len(body) + 1), chance.randbytes(chance.randrange(8))
        return body[:cut] + junk + body[cut + chance.randrange(8) :]
    try:
        value = copy.deepcopy(json.loads(body))
    except ValueError:
        return body[: chance.randrange(len(body) + 1)]
    for _ in range(chance.randrange(1, 4)):
        *way, last = chance.choice(_places(value)) or (None,)
        parent = value
        for key in way:
            parent = parent[key]
        if last is None or not isinstance(parent, dict | list):
            value = chance.choice(VALUES)
            break
        if chance.random() < 0.3:
            del parent[last]
        else:
            parent[last] = copy.deepcopy(chance.choice(VALUES))
    depth = chance.choice(DEPTHS)
    return json.dumps(value).replace(f'"{NESTED}"', "[" * depth + "]" * depth).encode()


@dataclass(frozen=True)
class Deciphered:
    """A parser of bodies, the facet whose answers it reads, and what it may raise."""

    parse: Callable[[bytes], Any]
    facet: str
    declared: tuple[type[Exception], ...] = (InvalidAnswer,)


ON = date(2026, 2, 15)
DECIPHERERS = {
    "repo": Deciphered(decipher_repo, "repo"),
    "probe": Deciphered(decipher_probe, "probe"),
    "head": Deciphered(decipher_head, "head"),
    "weeks": Deciphered(lambda body: decipher_weeks(body, ON), "weeks"),
    "participants": Deciphered(decipher_participants_page, "participants"),
    "history": Deciphered(decipher_history, "history"),
    "commits": Deciphered(lambda body: decipher_commits(body, has_next=False), "head"),
    "stars": Deciphered(decipher_star_weeks, "stars"),
    "project": Deciphered(lambda body: decipher_project(body, None), "project"),
    "status": Deciphered(lambda body: decipher_status(body, "django-scheduler"), "status"),
    "index": Deciphered(lambda body: list(read_index(body)), "index"),
    "names of the index": Deciphered(lambda body: decipher_index(body, {"django-scheduler"}), "index"),
    "verdict": Deciphered(lambda body: judge(source="github", facet="repo", status=200, headers={}, body=body, error=None), "repo", ()),
    "refusal": Deciphered(lambda body: judge(source="github", facet="repo", status=403, headers={}, body=body, error=None), "repo", ()),
    "verdict of many": Deciphered(lambda body: judge_batch(200, {}, body, None), "probe", ()),
    "content": Deciphered(read_content, "probe", ()),
    "points": Deciphered(lambda body: points(200, body), "probe", ()),
    "quota": Deciphered(lambda body: quota_headers({}, body), "probe", ()),
    "reason": Deciphered(block_reason, "repo", ()),
}


@pytest.mark.parametrize("name", DECIPHERERS)
@settings(suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_a_decipherer_raises_what_it_declares(name: str, seed: int) -> None:
    """A changed answer is read, or refused with the declared error."""
    entry, chance = DECIPHERERS[name], random.Random(seed)  # noqa: S311 - no secret
    body = changed(chance.choice(answers()[entry.facet]).body, chance)
    with suppress(*entry.declared):
        entry.parse(body)


@settings(suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_changed_answers_become_rows_of_the_schema(seed: int) -> None:
    """Any answers, with any verdict, give tables of the declared types: nothing gets as far as Arrow that does not fit there."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    gathering = Gathering(Known({}))
    facets = sorted(answers())
    for sequence in range(1, 8):
        capture = chance.choice(answers()[chance.choice(facets)])
        headers = {
            **capture.headers,
            chance.choice(["link", "date", "etag", "x-pypi-last-serial", "content-type"]): chance.choice(TEXTS[:-1]),
        }  # a header cannot hold the last
        capture = replace(capture, sequence=sequence, headers=headers, body=changed(capture.body, chance))
        verdict = judge(
            source=capture.source, facet=capture.facet, status=capture.status, headers=headers, body=capture.body, error=capture.error
        )
        for own, taken_for in divided(capture, verdict.verdict.value):
            gathering.add(own, taken_for)
    gathering.tables()


TEXTS = ("", "\x00", "-1", "1e400", "9" * 5000, "inf", "nan", "٣", "Thu, 99 Foo 9999 99:99:99 GMT", "Sun, 15 Feb 2026 22:19:55 GMT",
         "<>; rel=next", '<http://[::1>; rel="next"', '<https://api.github.com/x?page=99999999999999999999>; rel="last"',
         'W/"x"', "0001-01-01", "\ud800")  # fmt: skip
ANY = st.one_of(
    st.text(max_size=60),
    st.sampled_from(TEXTS),
    st.from_regex(r"[0-9TZ:.+ -]{0,40}", fullmatch=True),
    st.text("0123456789.!+-*abrcpostdev", max_size=30),
)
PARSERS: dict[str, tuple[Callable[[str], Any], tuple[type[Exception], ...]]] = {
    "repository": (parse_repo_url, (InvalidReference,)),
    "project": (parse_project_reference, (InvalidReference,)),
    "shown": (shown, ()),
    "instant": (parse_instant, (ValueError,)),
    "naive instant": (lambda text: parse_instant(text, is_naive_utc=True), (ValueError,)),
    "moment": (parse_moment, (ValueError,)),
    "age": (parse_age, (ValueError,)),
    "time of the API": (lambda text: parse_time("updated_since", text), (ValueError,)),
    "window of the API": (lambda text: parse_window({"limit": [text], "offset": [text]}), ()),
    "version": (parse_version, ()),
    "legacy": (is_legacy, ()),
    "pre-release": (is_prerelease, ()),
    "requires-python": (is_valid_requires_python, ()),
    "versions": (lambda text: sort_versions([text, "1.0", text[::-1]]), ()),
    "license": (lambda text: choose_license(text, [text], text), ()),
    "bot": (bot_login, ()),
    "retry-after": (lambda text: read_retry_after({"retry-after": text}), ()),
    "date": (read_date, ()),
    "quota's instant": (read_instant, ()),
    "skew": (lambda text: skew_of({"date": text, "age": text}, NOW), ()),
    "next link": (lambda text: next_link({"link": text}), ()),
    "pages": (lambda text: count_pages({"link": text}), ()),
    "has next": (lambda text: has_next({"link": text}), ()),
    **{
        f"cell {name}": (parse, (ValueError,))
        for name, parse in (
            ("id", cells.parse_id),
            ("text", cells.parse_text),
            ("title", cells.parse_title),
            ("slug", cells.parse_slug),
            ("name", cells.parse_name),
            ("flag", cells.parse_flag),
            ("instant", cells.parse_instant),
            ("address", cells.parse_address),
            ("repo", cells.parse_repo),
            ("project", cells.parse_project),
        )
    },
}


@pytest.mark.parametrize("name", PARSERS)
@given(text=ANY)
def test_a_parser_raises_what_it_declares(name: str, text: str) -> None:
    """Any text is read, or refused with the declared error."""
    parse, declared = PARSERS[name]
    with suppress(*declared):
        parse(text)
