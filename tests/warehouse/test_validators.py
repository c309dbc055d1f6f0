from __future__ import annotations

import pytest

from tests.warehouse.scenes import hour, observation, rows_of
from transforms.schemas import PARTICIPANT_OBSERVATIONS, REPO_OBSERVATIONS, VALIDATORS
from warehouse.folder import DataFolder
from warehouse.store import open_store

SUBJECT = "github:a/b"


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    folder = DataFolder(tmp_path)
    with folder.lock(), open_store(folder, is_read_only=False) as store:
        yield store


def validator(number, etag="e", **changes):
    """What an answer of that hour said of its version."""
    row = {
        "identity": "f1",
        "api_version": "v",
        "url": "/repos/a/b",
        "subject": SUBJECT,
        "facet": "repo",
        "etag": etag,
        "last_modified": None,
    }
    return row | {"seen_at": hour(number)} | changes


def load(store, *validators, repos=()):
    """Load validators, and rows of repositories beside them."""
    tables = {VALIDATORS.name: rows_of(VALIDATORS, validators), REPO_OBSERVATIONS.name: rows_of(REPO_OBSERVATIONS, repos)}
    store.load(run=None, tables=tables)


def etags(store, *subjects):
    """Which ETags are offered, by identity and address."""
    return {key[::2]: etag for key, (etag, _) in store.validators(subjects or [SUBJECT]).items()}


def test_a_validator_is_offered_at_its_address_to_its_identity(store):
    """Both kinds of it, for the subjects asked about."""
    other = {"subject": "pypi:c", "url": "/pypi/c/json", "api_version": "", "etag": None, "last_modified": "yesterday"}
    load(store, validator(1), validator(1, **other))
    assert store.validators([SUBJECT]) == {("f1", "v", "/repos/a/b"): ("e", None)}
    assert store.validators(["pypi:c", "pypi:c"]) == {("f1", "", "/pypi/c/json"): (None, "yesterday")}
    assert store.validators([]) == store.validators(["github:x/y"]) == {}


def test_the_newest_answer_at_an_address_counts(store):
    """Whatever order loads come in; the same twice is the same once."""
    load(store, validator(2, "new"))
    load(store, validator(1, "old"))
    load(store, validator(2, "new"))
    assert etags(store) == {("f1", "/repos/a/b"): "new"}
    load(store, validator(3, "newer"))
    assert etags(store) == {("f1", "/repos/a/b"): "newer"}


def test_a_token_that_was_replaced_leaves_nothing_behind(store):
    """ETags belong to the token that got them; what an anonymous request got stays beside."""
    load(store, validator(1, "one"), validator(1, "nobody's", identity="anonymous"))
    load(store, validator(2, "two", identity="f2"))
    assert etags(store) == {("f2", "/repos/a/b"): "two", ("anonymous", "/repos/a/b"): "nobody's"}
    load(store, validator(3, "again", identity="anonymous"))
    assert etags(store) == {("f2", "/repos/a/b"): "two", ("anonymous", "/repos/a/b"): "again"}
    load(store, validator(1, "late", identity="f1", url="/repos/a/b/contributors"))
    assert len(etags(store)) == 3


def test_two_names_of_one_repository_keep_their_own(store):
    """A renamed repository is asked for at the address both lead to; each name has its own history."""
    load(store, validator(1, "one", url="/repositories/1"), validator(2, "two", url="/repositories/1", subject="github:new/name"))
    assert etags(store) == {("f1", "/repositories/1"): "one"}
    assert etags(store, "github:new/name") == {("f1", "/repositories/1"): "two"}
    load(store, validator(3, "three", url="/repositories/1", subject="github:new/name"))
    assert etags(store) == {("f1", "/repositories/1"): "one"}


def test_a_validator_stays_while_its_value_is_confirmed(store):
    """Said again by any question, a failure in between, or not asked at all."""
    load(store, validator(1), repos=[observation(1, stars_count=5)])
    for number, changes in [(2, {"stars_count": 5}), (3, {"outcome": "failed"}), (4, {"outcome": "unchanged"})]:
        load(store, repos=[observation(number, **changes)])
        assert etags(store) == {("f1", "/repos/a/b"): "e"}
    load(store, repos=[observation(5, "github:2", subject="github:c/d", stars_count=1)])
    assert etags(store) == {("f1", "/repos/a/b"): "e"}


def test_a_validator_goes_when_something_else_was_observed_since(store):
    """Stars went from five to six and, at a probe's next sight, back: a 304 would confirm what the row before last said."""
    load(store, validator(1), repos=[observation(1, stars_count=5)])
    load(store, repos=[observation(2, stars_count=6)])
    assert etags(store) == {}
    load(store, validator(3, "e3"), repos=[observation(3, stars_count=5)])
    assert etags(store) == {("f1", "/repos/a/b"): "e3"}


def test_a_validator_that_arrives_late_is_none(store):
    """A killed run is loaded after the next one, which has seen something newer."""
    load(store, repos=[observation(2, stars_count=6)])
    load(store, validator(1), repos=[observation(1, stars_count=5)])
    assert etags(store) == {}


def test_a_repository_that_took_the_name_over_has_none_yet(store):
    """What was seen of the old one vouches for nothing."""
    load(store, validator(1), repos=[observation(1, stars_count=5)])
    load(store, repos=[observation(2, "github:2", stars_count=5)])
    assert etags(store) == {}


def test_a_list_that_was_carried_on_is_not_the_one_a_304_would_confirm(store):
    """Its pages are asked for anew; facets do not touch each other."""
    pages = [validator(1, f"p{page}", facet="participants", url=f"/c?page={page}") for page in (1, 2)]
    load(store, validator(1), *pages, repos=[observation(1, stars_count=5)])

    def people(number, **changes):
        store.load(run=None, tables={PARTICIPANT_OBSERVATIONS.name: rows_of(PARTICIPANT_OBSERVATIONS, [observation(number, **changes)])})

    people(1, logins=["a"], commit_counts=[1])
    people(2, logins=["a"], commit_counts=[1], participants_source="history")
    assert len(etags(store)) == 3
    people(3, logins=["a"], commit_counts=[2], participants_source="history")
    assert etags(store) == {("f1", "/repos/a/b"): "e"}
