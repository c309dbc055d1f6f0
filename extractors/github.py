"""What to ask GitHub of one repository over REST, and what to ask next: pages, renames, statistics still being computed.

https://docs.github.com/en/rest/repos/repos#get-a-repository
https://docs.github.com/en/rest/commits/commits#list-commits
https://docs.github.com/en/rest/metrics/statistics#get-the-weekly-commit-count
https://docs.github.com/en/rest/repos/repos#list-repository-contributors
A trailing slash would give 404. ``/repositories/<id>`` is not documented but is where GitHub itself redirects renamed
repositories to; it survives renames and transfers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from extractors.conversation import ANONYMOUS, COMMITS, FACETS, GITHUB, HEAD, PARTICIPANTS, REPO, WEEKS, Answer, Ask, Plan
from extractors.links import count_pages, next_link
from extractors.redirects import follow
from extractors.verdict import Judgement, Verdict, judge_answer

ACCEPT = "application/vnd.github+json"
MOST_COMMIT_PAGES = 3  # of a hundred commits; a year of more is cheaper as GitHub's 52 numbers
MAX_PAGES = 50  # 5,000 participants; GitHub links no more than the first 500 author addresses to accounts
LATER_TRIES = 2  # how often computed statistics are asked for again in the same run
PATHS: Mapping[str, str] = {
    REPO: "",
    HEAD: "/commits?per_page=1",
    WEEKS: "/stats/participation",
    PARTICIPANTS: "/contributors?per_page=100",
}

# With any other verdict on the repository itself, its other facets are not asked for: the answers would be the same.
_ANSWERED = frozenset({Verdict.OK, Verdict.UNCHANGED})
_ENDING = frozenset({Verdict.BAD_TOKEN, Verdict.LIMITED})


@dataclass(slots=True, kw_only=True)
class _Trail:
    """Where the repository is asked for, as learnt on the way.

    Attributes:
        subject: the repository as the catalog names it.
        base: address below which its facets lie; changes when it moved for good.
        known_id: GitHub's id of the repository from earlier runs, until it was used or is not needed any more.
        is_anonymous: its organisation refuses our token, so ask without.
        is_conditional: an answer that did not change may be answered with 304.
    """

    subject: str
    base: str
    known_id: int | None = None
    is_anonymous: bool = False
    is_conditional: bool = False


def repo_plan(  # noqa: PLR0913 - what is asked, of whom, and in which manner
    *,
    subject: str,
    owner: str,
    name: str,
    facets: frozenset[str],
    known_id: int | None,
    is_conditional: bool = False,
    known_pages: int = 1,
    is_anonymous: bool = False,
    commits_since: str | None = None,
    spared: Callable[[Answer], frozenset[str]] = lambda _answer: frozenset(),
) -> Plan:
    """Ask for ``facets`` of one repository in the order repo, head, weeks, participants.

    A renamed repository is followed; one that is missing under its name is asked for by ``known_id`` (GitHub's numeric id,
    ``None`` when never seen) before that is believed. Without the repo facet the id is asked from the start.
    With ``is_conditional`` what did not change may be answered with 304; ``known_pages`` is how many pages the list of participants
    had. ``is_anonymous`` asks without credentials from the start. With ``commits_since`` (an ISO 8601 time) the newest
    commit and the weeks are read from the commits since then, where there are some that fill no more than ``MOST_COMMIT_PAGES``.
    ``spared`` is told the answers about the repository and its newest commit, and returns facets that then need not be asked for.
    Returns a plan to ask for the weeks again when GitHub is still computing them (202: "cached by the SHA of the default branch").
    """
    base = f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}"
    trail = _Trail(subject=subject, base=base, known_id=known_id, is_conditional=is_conditional, is_anonymous=is_anonymous)
    if REPO not in facets and known_id is not None:  # nothing here would show that the name belongs to another by now
        trail.base, trail.known_id = f"/repositories/{known_id}", None
    later: list[Plan] = []
    left = set(facets)
    for facet in FACETS[GITHUB]:
        if facet == HEAD and commits_since is not None and WEEKS in left:
            told = yield from _read_commits(trail, commits_since, spared)
            if told is None:
                break
            left -= told
        if facet not in left:
            continue
        answer, judgement = yield from _ask_facet(trail, facet)
        if judgement.verdict in _ENDING or (facet == REPO and judgement.verdict not in _ANSWERED):
            break
        if facet in (REPO, HEAD) and judgement.verdict in _ANSWERED:
            left -= spared(answer)
        if facet == WEEKS and judgement.verdict is Verdict.PENDING:
            later.append(_weeks_later(trail, LATER_TRIES))
        if facet == PARTICIPANTS:
            yield from _further_pages(trail, answer, judgement, known_pages)
    return tuple(later)


def _read_commits(trail: _Trail, since: str, spared: Callable[[Answer], frozenset[str]]) -> Generator[Ask, Answer, frozenset[str] | None]:
    """Ask for the commits since a moment: the facets that need not be asked for then; ``None`` when asking has ended."""
    answer, judgement = yield from _ask(trail, COMMITS, f"{trail.base}/commits?since={since}&per_page=100")
    if judgement.verdict is not Verdict.OK:
        return None if judgement.verdict in _ENDING else frozenset()
    told = spared(answer) | {HEAD} if answer.body.strip() != b"[]" else frozenset()  # the newest commit is the first of the list
    for page in range(2, MOST_COMMIT_PAGES + 1):
        url = next_link(answer.headers)
        if url is None or (count_pages(answer.headers) or page) > MOST_COMMIT_PAGES:
            break
        answer, judgement = yield from _ask(trail, COMMITS, url, page)
        if judgement.verdict is not Verdict.OK:
            return None if judgement.verdict in _ENDING else told - {WEEKS}
    return told | {WEEKS} if next_link(answer.headers) is None else told - {WEEKS}


def _weeks_later(trail: _Trail, tries: int) -> Plan:
    """Ask for the weeks once more; what is still pending then is taken up ``tries - 1`` times again."""
    _, judgement = yield from _ask_facet(trail, WEEKS)
    return (_weeks_later(trail, tries - 1),) if judgement.verdict is Verdict.PENDING and tries > 1 else ()


def _ask_facet(trail: _Trail, facet: str) -> Generator[Ask, Answer, tuple[Answer, Judgement]]:
    """Ask for the first page of a facet; a repository missing under its name is looked for under its id, once."""
    answer, judgement = yield from _ask(trail, facet, trail.base + PATHS[facet])
    if judgement.verdict is Verdict.MISSING and trail.known_id is not None:
        trail.base = f"/repositories/{trail.known_id}"
        answer, judgement = yield from _ask(trail, facet, trail.base + PATHS[facet])
        trail.known_id = None
    elif judgement.verdict in _ANSWERED:
        trail.known_id = None
    return answer, judgement


def _ask(trail: _Trail, facet: str, url: str, page: int = 1) -> Generator[Ask, Answer, tuple[Answer, Judgement]]:
    """Ask, follow redirects, and repeat without credentials when an organisation refuses the token."""
    while True:
        ask = Ask(
            source=GITHUB,
            subject=trail.subject,
            facet=facet,
            url=url,
            page=page,
            accept=ACCEPT,
            is_anonymous=trail.is_anonymous,
            # Computed weeks move on by themselves while their ETag, which the 202 before them has as well, may stay.
            is_conditional=trail.is_conditional and facet not in (WEEKS, COMMITS),
        )
        answer, moved_to = yield from follow(ask)
        if moved_to is not None and page == 1:
            trail.base = _base_of(moved_to, PATHS.get(facet, "/commits")) or trail.base
        judgement = judge_answer(answer)
        if judgement.verdict is not Verdict.REFUSED or trail.is_anonymous or answer.identity == ANONYMOUS:
            return answer, judgement
        trail.is_anonymous = True


def _further_pages(trail: _Trail, answer: Answer, judgement: Judgement, known_pages: int) -> Generator[Ask, Answer, None]:
    """Ask for the pages after the first: all that are linked, or those known as long as none has changed."""
    if judgement.verdict is Verdict.UNCHANGED:
        changed = yield from _unchanged_pages(trail, answer, known_pages)
        if not changed:
            return
        # A list is read in one go: pages of two moments may miss whom moved from one to the other.
        trail.is_conditional = False
        answer, judgement = yield from _ask(trail, PARTICIPANTS, trail.base + PATHS[PARTICIPANTS])
    trail.is_conditional = False
    for page in range(2, MAX_PAGES + 1):
        url = next_link(answer.headers)
        if judgement.verdict is not Verdict.OK or url is None:
            return
        answer, judgement = yield from _ask(trail, PARTICIPANTS, url, page)


def _unchanged_pages(trail: _Trail, answer: Answer, known_pages: int) -> Generator[Ask, Answer, bool]:
    """Ask for page after page until one has changed, which is told, or is not good.

    A 304 need not repeat its links (RFC 9110, 15.4.5); the address of the next page is then the one GitHub links to.
    """
    for page in range(2, MAX_PAGES + 1):
        url = next_link(answer.headers)
        if url is None and page <= known_pages and "link" not in answer.headers:
            url = f"{trail.base}{PATHS[PARTICIPANTS]}&page={page}"
        if url is None:
            return False
        answer, judgement = yield from _ask(trail, PARTICIPANTS, url, page)
        if judgement.verdict is not Verdict.UNCHANGED:
            return judgement.verdict is Verdict.OK
    return False


def _base_of(url: str, path: str) -> str | None:
    """Cut a facet's path off the address it moved to; ``None`` when the address has another form."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    bare = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    ending = path.partition("?")[0]
    return bare.removesuffix(ending).rstrip("/") if bare.endswith(ending) else None
