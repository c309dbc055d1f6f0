"""Pages of ``GET /repos/{owner}/{repo}/contributors`` become one list of participants: complete, capped, unchanged, or none.

Half of a list would look like people leaving, so pages count only together. A 304 says that a page is what it was; when all of
them say so, the list is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from transforms.github import are_participants_capped, merge_participants
from transforms.known import Known
from transforms.readings import CaptureView, Reading, has_next

HTTP_OK = 200
PAGE_SIZE = 100
# The harvest stops asking after this many pages.
PAGES_MAX = 50
CONTRIBUTORS = "contributors"

Person = tuple[str, int]


@dataclass(slots=True, kw_only=True)
class _Pages:
    """Pages of one list so far: what they say, and the answers they came in (without bodies); how many first pages are unchanged."""

    pages: list[list[Person]] = field(default_factory=list)
    answers: list[CaptureView] = field(default_factory=list)
    unchanged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What is known of a list after one more page: a reading, the address of the first page, and the answers it was made of."""

    reading: Reading
    url: str
    answers: tuple[CaptureView, ...] = ()


class Lists:
    """Collects the pages of one run by subject."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._held: dict[str, _Pages] = {}

    def add(self, capture: CaptureView, people: list[Person] | None) -> Listed:
        """Put one page where it belongs, a first page begins a new list; ``None`` is a page that has not changed."""
        held = self._held.pop(capture.subject, None)
        if capture.page == 1 or held is None:
            held = _Pages()
        if people is None:
            return self._add_unchanged(capture, held)
        del held.pages[capture.page - 1 :]
        del held.answers[capture.page - 1 :]
        if len(held.pages) != capture.page - 1:
            detail = f"page {capture.page} came without those before it"
            return Listed(reading=Reading(outcome="failed", detail=detail), url=capture.url)
        held.pages.append(people)
        held.answers.append(replace(capture, body=b""))
        is_followed = has_next(capture.headers)
        if is_followed or capture.page > 1:
            self._held[capture.subject] = held
        url = held.answers[0].url
        if is_followed and capture.page < PAGES_MAX:
            return Listed(reading=Reading(outcome="limited", detail=f"page {capture.page + 1} was not asked for"), url=url)
        values = {**merge_participants(held.pages), "participants_source": CONTRIBUTORS, "listed_at": capture.fetched_at}
        reading = Reading(outcome="ok", row=values)
        if is_followed:
            reading = Reading(outcome="capped", detail=f"only the first {PAGES_MAX} pages were read", row=values)
        elif are_participants_capped(values["logins"]):
            reading = Reading(outcome="capped", detail="the forge links only the first 500 e-mail addresses to logins", row=values)
        elif not values["logins"] and capture.status == HTTP_OK:  # a repository without commits answers 204
            reading = Reading(outcome="capped", detail="whoever has committed has no account on the forge", row=values)
        return Listed(reading=reading, url=url, answers=tuple(held.answers))

    def _add_unchanged(self, capture: CaptureView, held: _Pages) -> Listed:
        """The list is unchanged once the last page is that it had."""
        if held.pages or held.unchanged != capture.page - 1:
            reading = Reading(outcome="failed", detail=f"page {capture.page} is unchanged, but not those before it")
            return Listed(reading=reading, url=capture.url)
        held.unchanged += 1
        if self._has_more(capture):
            self._held[capture.subject] = held
            return Listed(reading=Reading(outcome="limited", detail=f"page {capture.page + 1} was not asked for"), url=capture.url)
        row = {"participants_source": CONTRIBUTORS, "listed_at": capture.fetched_at}
        return Listed(reading=Reading(outcome="unchanged", row=row), url=capture.url)

    def _has_more(self, capture: CaptureView) -> bool:
        """Whether a page follows an unchanged one, which need not repeat its links (RFC 9110, 15.4.5)."""
        if "link" in capture.headers:
            return has_next(capture.headers)
        known = self._known.participants(capture.subject)
        return known is not None and capture.page * PAGE_SIZE < len(known.logins)
