from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.schemas import INSTANT
from transforms.states import GOOD_OUTCOMES, Standing, evaluate_states

AS_OF = datetime(2026, 2, 15, 12, tzinfo=UTC)
AGE = timedelta(hours=20)
OUTCOMES = ["ok", "capped", "empty", "pending", "missing", "blocked", "refused", "unsupported", "limited", "failed", "invalid"]
ORDER = ["ok", "capped", "stale"]


def state_of(*, as_of=AS_OF, max_age=AGE, **known):
    """The state of one package for one facet; without more words a good answer of an hour ago."""
    outcome = known.get("outcome", "ok")
    at = known.get("last_at", AS_OF - timedelta(hours=1))
    facts = {
        "has_source": True,
        "is_supported": True,
        "outcome": outcome,
        "first_at": at,
        "last_at": at,
        "sightings": 1,
        "good_outcome": outcome if outcome in GOOD_OUTCOMES else None,
        "good_at": at if outcome in GOOD_OUTCOMES else None,
        "inherited": None,
    }
    types = {
        "has_source": pa.bool_(),
        "is_supported": pa.bool_(),
        "first_at": INSTANT,
        "last_at": INSTANT,
        "good_at": INSTANT,
        "sightings": pa.int64(),
    }
    columns = {name: pa.array([value], types.get(name, pa.string())) for name, value in {**facts, **known}.items()}
    (state,) = evaluate_states(Standing(**columns), as_of=as_of, max_age=max_age).to_pylist()
    return state


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "ok"),
        ({"has_source": False}, None),
        ({"has_source": False, "is_supported": False, "outcome": None}, None),
        ({"is_supported": False}, "unsupported"),
        ({"outcome": "empty"}, "ok"),
        ({"outcome": "capped"}, "capped"),
        ({"outcome": "blocked"}, "blocked"),
        ({"outcome": "unsupported"}, "unsupported"),
        ({"outcome": "pending"}, "pending"),
        ({"outcome": None, "sightings": None}, "pending"),
        ({"outcome": "failed"}, "pending"),
        ({"outcome": "missing"}, "pending"),
        ({"outcome": "pending", "good_outcome": "ok", "good_at": AS_OF}, "pending"),
        ({"outcome": "pending", "good_outcome": "ok", "good_at": AS_OF - timedelta(days=400)}, "stale"),
        ({"outcome": "failed", "good_outcome": "ok", "good_at": AS_OF}, "stale"),
        ({"outcome": "invalid", "good_outcome": "ok", "good_at": AS_OF}, "stale"),
        ({"outcome": "limited", "good_outcome": "capped", "good_at": AS_OF}, "stale"),
        ({"outcome": "refused", "good_outcome": "ok", "good_at": AS_OF}, "stale"),
        ({"inherited": "gone"}, "gone"),
        ({"inherited": "blocked", "outcome": None}, "blocked"),
        ({"inherited": "stale"}, "ok"),
    ],
)
def test_the_first_rule_that_applies_gives_the_state(known, expected):
    """A failed, limited or invalid answer keeps the good value and says that it is stale; without one it is pending."""
    assert state_of(**known) == expected


@pytest.mark.parametrize(
    ("sightings", "days", "expected"),
    [(1, 0, "stale"), (1, 9, "stale"), (2, 9, "stale"), (3, 2.99, "stale"), (9, 0.1, "stale"), (3, 3, "gone"), (30, 60, "gone")],
)
def test_gone_takes_three_misses_over_three_days(sightings, days, expected):
    """One 404 is not gone, nor are many within one bad evening."""
    at = AS_OF - timedelta(hours=1)
    known = {
        "outcome": "missing",
        "good_outcome": "ok",
        "good_at": at - timedelta(days=80),
        "last_at": at,
        "first_at": at - timedelta(days=days),
    }
    assert state_of(sightings=sightings, **known) == expected


def test_gone_heals_by_itself():
    """The first good answer after any number of misses is ok again: the rules look at what stands, not at what was."""
    assert state_of(outcome="ok", sightings=1) == "ok"


@pytest.mark.parametrize(("age", "expected"), [(39, "ok"), (40, "ok"), (40.001, "stale")])
def test_a_value_grows_stale_at_twice_the_greatest_age(age, expected):
    """Twenty hours allowed, forty kept as good: one missed run is no alarm."""
    assert state_of(last_at=AS_OF - timedelta(hours=age)) == expected


def test_a_state_needs_a_zone():
    """A naive moment could mean any."""
    with pytest.raises(ValueError, match="no time zone"):
        state_of(as_of=datetime(2026, 2, 15))  # noqa: DTZ001 - the naive time is the point


STANDINGS = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from([*OUTCOMES, None]),
        "good_outcome": st.sampled_from([*GOOD_OUTCOMES, None]),
        "good_at": st.integers(0, 200).map(lambda hours: AS_OF - timedelta(hours=hours)),
        "sightings": st.integers(1, 5),
        "first_at": st.integers(0, 200).map(lambda hours: AS_OF - timedelta(hours=200 + hours)),
        "last_at": st.integers(0, 200).map(lambda hours: AS_OF - timedelta(hours=hours)),
        "inherited": st.sampled_from([None, "ok", "stale", "gone", "blocked", "pending"]),
    }
)


@settings(deadline=None)
@given(STANDINGS, st.integers(0, 500), st.integers(0, 100))
def test_a_value_never_becomes_better_by_growing_older(known, later, longer):
    """Without a new answer, time only moves ok, capped and pending to stale; a greater age allowed only moves the other way."""
    now = state_of(**known)
    after = state_of(as_of=AS_OF + timedelta(hours=later), **known)
    assert after == now or (now in ("ok", "capped", "pending") and after == "stale")
    lenient = state_of(max_age=AGE + timedelta(hours=longer), **known)
    assert lenient == now or (now == "stale" and lenient in ("ok", "capped", "pending"))


@settings(deadline=None)
@given(STANDINGS)
def test_a_state_without_a_true_value_never_says_ok(known):
    """`ok` and `capped` need a newest answer that is good."""
    if state_of(**known) in ("ok", "capped"):
        assert known["outcome"] in GOOD_OUTCOMES
        assert known["good_outcome"] is not None


@settings(deadline=None)
@given(STANDINGS, st.integers(1, 5), st.integers(0, 200))
def test_more_misses_never_make_a_repository_less_gone(known, more, hours):
    """Once gone, further sightings of the same miss keep it so."""
    missing = {**known, "outcome": "missing", "inherited": None}
    if state_of(**missing) == "gone":
        assert (
            state_of(**{**missing, "sightings": missing["sightings"] + more, "last_at": missing["last_at"] + timedelta(hours=hours)})
            == "gone"
        )
