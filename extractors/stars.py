"""What to ask GitHub for the stars of the past: those still held today, by the day they were given.

https://docs.github.com/en/rest/activity/starring: weeks, newest first, from the running one back to that of the repository's creation,
at most 30 a page, one unit of quota each. The lists of who starred are closed to everybody but the repository's own people.
Asked by id, so that what comes belongs to that repository whatever its name is now.
"""

from __future__ import annotations

from collections.abc import Iterable

from extractors.conversation import GITHUB, STARS, Ask, Plan
from extractors.github import ACCEPT
from extractors.links import next_link
from extractors.redirects import follow
from extractors.verdict import Verdict, judge_answer

WEEKS_A_PAGE = 30
MOST_PAGES = 100


def star_plan(*, subject: str, repo_id: int, pages: Iterable[int]) -> Plan:
    """Ask for these pages of weeks in order, and end early where there are no more, or no answer that helps.

    An organisation that refuses our token is asked without it.
    """
    is_anonymous = False
    for page in pages:
        url = f"/repositories/{repo_id}/stargazers/history?per_page={WEEKS_A_PAGE}&page={page}"
        while True:
            ask = Ask(source=GITHUB, subject=subject, facet=STARS, url=url, page=page, accept=ACCEPT, is_anonymous=is_anonymous)
            answer, _ = yield from follow(ask)
            verdict = judge_answer(answer).verdict
            if verdict is not Verdict.REFUSED or is_anonymous:
                break
            is_anonymous = True
        if verdict is not Verdict.OK or next_link(answer.headers) is None:
            break
    return ()
