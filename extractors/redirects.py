"""Following a redirect: only where a plan asks for it, a few times, and never unseen (every hop is landed).

GitHub: "you should assume that any request may result in a redirection"; 301 is for good, 302 and 307 for now.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from extractors.conversation import Answer, Ask
from extractors.verdict import MOVES, PERMANENT_MOVES, Verdict, judge_answer

MAX_HOPS = 5


def follow(ask: Ask) -> Generator[Ask, Answer, tuple[Answer, str | None]]:
    """Ask, and ask again wherever the answer points to, at most five times and never the same address twice.

    Returns the last answer (still a redirect when it leads in a circle or too far) and the address the subject moved to
    for good: set when every hop was permanent, else ``None``.
    """
    seen = {ask.url}
    moved_to: str | None = None
    is_permanent = True
    while True:
        answer = yield ask
        if answer.status not in MOVES or len(seen) > MAX_HOPS:
            break
        judgement = judge_answer(answer)
        if judgement.verdict is not Verdict.MOVED or judgement.location is None or judgement.location in seen:
            break
        is_permanent = is_permanent and answer.status in PERMANENT_MOVES
        ask = replace(ask, url=judgement.location)
        seen.add(ask.url)
        moved_to = ask.url
    return answer, moved_to if is_permanent else None
