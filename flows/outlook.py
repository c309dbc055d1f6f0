"""What the store tells of the near future: how active each subject is, what the meters had left, how long answers take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from extractors.client import fingerprint
from extractors.conversation import GITHUB, GRAPHQL, HISTORY, PROBE
from extractors.graphql import HISTORY_SIZE, PROBE_SIZE
from flows.choice import is_too_large
from flows.forecast import HOURLY, HOURLY_ANONYMOUS, PAGE_SIZE, Outlook, Quota
from flows.planning import Due
from settings import Settings
from transforms.known import Known
from warehouse.ledger import answer_seconds, meters_left
from warehouse.store import Store

# The meters as GitHub names them in x-ratelimit-resource, and as we do.
METERS: Mapping[str, str] = {"core": GITHUB, "graphql": GRAPHQL}


def look_out(store: Store, known: Known, due: Iterable[Due], settings: Settings, *, as_of: datetime, sizes: Mapping[str, int]) -> Outlook:
    """Gather the outlook for what is due at ``as_of``; ``sizes`` are repositories a query, by kind."""
    pages: dict[str, int] = {}
    commits: dict[str, int] = {}
    touched_at: dict[str, datetime] = {}
    seen_at: dict[str, datetime] = {}
    statistical: set[str] = set()
    listed_at: dict[str, datetime] = {}
    for item in due:
        subject = item.subject
        if activity := known.activity(subject):
            touched_at[subject], seen_at[subject] = activity
        if item.source != GITHUB:
            continue
        if participants := known.participants(subject):
            pages[subject] = -(-len(participants.logins) // PAGE_SIZE)
            if participants.listed_at:
                listed_at[subject] = participants.listed_at
        if weeks := known.weeks(subject):
            commits[subject] = weeks.commits_count
            if weeks.source != HISTORY and is_too_large(weeks.commits_count):
                statistical.add(subject)
    limit = HOURLY if settings.github_token else HOURLY_ANONYMOUS
    left = meters_left(store, identity=fingerprint(settings.github_token), as_of=as_of)
    return Outlook(
        pages=pages,
        commits=commits,
        touched_at=touched_at,
        seen_at=seen_at,
        statistical=frozenset(statistical),
        listed_at=listed_at,
        probe_size=sizes.get(PROBE, PROBE_SIZE),
        history_size=sizes.get(HISTORY, HISTORY_SIZE),
        seconds=answer_seconds(store),
        quotas={
            METERS[meter]: Quota(limit=limit, remaining=units, resets_at=resets_at)
            for meter, (units, resets_at) in left.items()
            if meter in METERS
        },
    )
