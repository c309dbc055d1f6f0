"""The steps of an import: read the sources, ask what PyPI knows of the projects that are new, add rows to the catalog.

A package comes into the catalog when PyPI was asked about it, or at once without asking. What PyPI said is kept beside the catalog until
then, so that an import may be killed, stopped by ``--limit`` or by a service that is down, and goes on with what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO
from urllib.parse import urlsplit

from flows.forecast import PYPI_SECONDS
from flows.import_asking import Asking
from flows.import_options import ImportOptions, ImportRefused, ImportReport, ImportStopped
from flows.progress import Progress, describe_seconds, progress_for
from flows.runs import make_clock
from flows.sequence import signals_set
from settings import Settings, parse_service
from transforms.additions import CannotAdd, Found, add, check_category, known_projects, known_slugs
from transforms.candidates import Candidate, Listing, fuse
from transforms.catalog import Catalog, InvalidCatalog
from transforms.cells import parse_slug
from transforms.foreign_catalog import ForeignCatalog, read_foreign
from transforms.sheets import Mistake
from transforms.source_kinds import Kind
from warehouse.catalog_files import load_catalog
from warehouse.catalog_writing import CatalogFolder
from warehouse.import_answers import FOUND, MISSING, UNUSABLE, AnswerBook
from warehouse.import_sources import STDIN, read_source

ANSWER_AGE = timedelta(days=30)  # what PyPI did not have is asked for again when it was asked longer ago
MANY = 1_000


def import_catalog(options: ImportOptions, settings: Settings, stdin: BinaryIO) -> ImportReport:
    """Make a catalog of the sources, or add to one what it lacks.

    Raises InvalidCatalog with every mistake of the sources or of the catalog, ImportRefused when it cannot be done as asked,
    ImportStopped when it ended before anything was written, and CatalogUnwritable; the catalog is then as it was.
    """
    _refuse_early(options)
    with progress_for() as progress:
        return asyncio.run(_import(options, settings, stdin, progress))


def _refuse_early(options: ImportOptions) -> None:
    if options.kind is not Kind.PYPI_INDEX and not options.sources:
        raise ImportRefused("nothing to import: name files, - for stdin, or an address; or --from pypi-index for all of PyPI")
    if options.kind is Kind.PYPI_INDEX and options.sources:
        raise ImportRefused("--from pypi-index reads PyPI's own index: name no source with it")
    if options.sources.count(STDIN) > 1:
        raise ImportRefused("stdin can be read once: name - once")
    if options.category is not None:
        try:
            parse_slug(options.category)
        except ValueError as error:
            raise ImportRefused(f"--category: {error}") from None
    if options.into.exists() and not options.into.is_dir():
        raise ImportRefused(f"{options.into} is no folder: name one with --into; it is made when it is missing")
    if CatalogFolder(options.into).is_there and not options.is_update:
        raise ImportRefused(
            f"{options.into} has a catalog, and nothing was changed. Next: --update adds to it what it lacks, or name another folder"
        )


async def _import(options: ImportOptions, settings: Settings, stdin: BinaryIO, progress: Progress) -> ImportReport:
    asking = Asking(settings=settings, clock=make_clock(options.fixed_now), progress=progress)
    with signals_set(asking.stop):
        sources = await _read_sources(options, settings, stdin, asking)
        folder = CatalogFolder(options.into)
        with folder.lock():
            catalog = load_catalog(options.into) if folder.is_there else None
            run = _Run(options=options, asking=asking, sources=sources, folder=folder)
            return await run.finish(catalog)


@dataclass(slots=True, kw_only=True)
class _Sources:
    """What all sources name together."""

    candidates: list[Candidate] = field(default_factory=list)
    foreign: list[ForeignCatalog] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    remarks: list[Mistake] = field(default_factory=list)


async def _read_sources(options: ImportOptions, settings: Settings, stdin: BinaryIO, asking: Asking) -> _Sources:
    """Read every source; raises InvalidCatalog with all mistakes unless they are to be left out."""
    sources = _Sources()
    listings: list[Listing] = []
    if options.kind is Kind.PYPI_INDEX:
        listing = Listing(file=f"the index of {settings.pypi_url}")
        for name in await asking.ask_index():
            listing.add(name, None)
        listings.append(listing)
    for source in options.sources:
        if options.kind is Kind.DJANGO_PACKAGES or (options.kind is None and source.lower().startswith(("https://", "http://"))):
            base_url = _base_url(source)
            foreign = read_foreign(await asking.ask_catalog(base_url), urlsplit(base_url).netloc)
            sources.foreign.append(foreign)
            sources.mistakes += foreign.mistakes
        else:
            listings += list(read_source(source, options.kind, stdin))
    for listing in listings:
        sources.candidates += listing.candidates
        sources.mistakes += listing.mistakes
        sources.remarks += listing.remarks
    sources.candidates = fuse(sources.candidates)
    if sources.mistakes and not options.is_lenient:
        raise InvalidCatalog(sources.mistakes)
    return sources


def _base_url(source: str) -> str:
    """The address above ``/api/v4/``, encrypted or on this machine."""
    try:
        return parse_service(source.partition("/api/v4")[0].partition("?")[0])
    except ValueError as error:
        raise ImportRefused(f"{error}; name the address above /api/v4/, for example https://djangopackages.org") from None


@dataclass(slots=True, kw_only=True)
class _Run:
    """One import whose sources are read, with the folder locked."""

    options: ImportOptions
    asking: Asking
    sources: _Sources
    folder: CatalogFolder
    book: AnswerBook = field(init=False)

    def __post_init__(self) -> None:
        self.book = AnswerBook(self.folder.state / "answers")

    async def finish(self, catalog: Catalog | None) -> ImportReport:
        """Ask what is not known, and add what is."""
        candidates, doubles = self._new(catalog)
        try:
            if candidates:
                check_category(catalog, self.sources.foreign, self.options.category)
            unasked, asked, unanswered = await self._ask(candidates)
            if self.asking.stop.is_set():
                raise ImportStopped(self._interrupted())
            waiting = {candidate.name for candidate in (*unasked, *unanswered)}
            settled = [candidate for candidate in candidates if candidate.name not in waiting]
            added = add(catalog, self.sources.foreign, self._found(settled), category=self.options.category, at=self._now())
        except CannotAdd as error:
            raise ImportRefused(f"{error}. Nothing was changed") from None
        if catalog is None or any(added.rows.values()):
            self.folder.add(added.rows, self.options.style)
        report = self._report(settled, doubles)
        report.named = len(self.sources.candidates) + sum(len(each.rows["packages"]) for each in self.sources.foreign)
        report.present = len(self.sources.candidates) - len(candidates)
        report.added = added.counts
        report.with_repo = sum(bool(row[4]) for row in added.rows["packages"])
        report.asked, report.unasked = asked, len(waiting)
        report.ended = self.asking.ended or (f"{len(unanswered):,} projects got no usable answer" if unanswered else None)
        self.book.settle([found.name for found in self._found(settled)])
        return report

    def _new(self, catalog: Catalog | None) -> tuple[list[Candidate], list[Mistake]]:
        """The projects that the catalog lacks; and those whose name is the slug of a package without a project, which are left alone."""
        projects, slugs = known_projects(catalog), known_slugs(catalog)
        for foreign in self.sources.foreign:
            projects |= foreign.projects
        lacking = [candidate for candidate in self.sources.candidates if candidate.name not in projects]
        doubles = [
            _mistake(candidate, f"{candidate.name} is the slug of a package without pypi_url: write it there if that is this project")
            for candidate in lacking
            if candidate.name in slugs
        ]
        return [candidate for candidate in lacking if candidate.name not in slugs], doubles

    async def _ask(self, candidates: Sequence[Candidate]) -> tuple[list[Candidate], int, list[Candidate]]:
        """Ask PyPI; give who was left for another time, how many were asked, and who of them got no answer."""
        if not self.options.has_urls:
            return [], 0, []
        self.book.load()
        since = self._now() - ANSWER_AGE
        due = [candidate for candidate in candidates if not self._is_known(candidate, since)]
        now, later = (due, []) if self.options.limit is None else (due[: self.options.limit], due[self.options.limit :])
        known = len(candidates) - len(due)
        self._forecast(len(now), known, len(later))
        if now:
            self.asking.progress.begin(len(now), "asking PyPI")
            before = {candidate.name: self.book.known.get(candidate.name) for candidate in now}
            await self.asking.ask_projects(now, self.book)
            unanswered = [candidate for candidate in now if self.book.known.get(candidate.name) is before[candidate.name]]
            return later, len(now) - len(unanswered), unanswered
        return later, 0, []

    def _is_known(self, candidate: Candidate, since: datetime) -> bool:
        answer = self.book.known.get(candidate.name)
        return answer is not None and (answer.outcome == FOUND or answer.asked_at >= since)

    def _forecast(self, now: int, known: int, later: int) -> None:
        if not now:
            return
        seconds = now * PYPI_SECONDS / max(1, self.asking.settings.concurrency // 4)
        say = self.asking.progress.say
        kept = f"; {known:,} were answered before" if known else ""
        left = f"; {later:,} are left for another time" if later else ""
        say(f"PyPI is asked about {now:,} projects, one request each, about {describe_seconds(seconds)}{kept}{left}.")
        if now >= MANY:
            say(
                "It may be stopped at any time: what PyPI said is kept, and the same command goes on. --limit N asks about the next N only."
            )

    def _found(self, settled: Sequence[Candidate]) -> Iterator[Found]:
        """The projects that come into the catalog, in the order named; one that PyPI does not have is none of them."""
        for candidate in settled:
            answer = self.book.known.get(candidate.name) if self.options.has_urls else None
            if answer is None:
                if not self.options.has_urls:
                    yield Found(name=candidate.name, title=candidate.title, repo_url=candidate.repo_url)
            elif answer.outcome == FOUND:
                yield Found(name=candidate.name, title=answer.title or candidate.title, repo_url=answer.repo_url or candidate.repo_url)

    def _report(self, settled: Sequence[Candidate], doubles: Sequence[Mistake]) -> ImportReport:
        missing, unusable, ambiguous = [], [], []
        for candidate in settled:
            answer = self.book.known.get(candidate.name)
            if answer is None:
                continue
            if answer.outcome == MISSING:
                missing.append(_mistake(candidate, f"{candidate.title} is not on PyPI: correct the name, or add the package by hand"))
            elif answer.outcome == UNUSABLE:
                unusable.append(_mistake(candidate, f"{candidate.title}: {answer.detail}"))
            elif answer.repo_url is None and answer.detail:
                ambiguous.append(_mistake(candidate, f"{candidate.title}: {answer.detail}"))
        return ImportReport(
            into=self.options.into,
            missing=missing,
            unusable=unusable,
            ambiguous=ambiguous,
            skipped=self.sources.mistakes,
            remarks=[*self.sources.remarks, *doubles],
        )

    def _interrupted(self) -> str:
        return (
            f"Interrupted: {len(self.book.known):,} answers of PyPI are kept in {self.book.folder} and the catalog is as it was. "
            "The same command goes on where it stopped."
        )

    def _now(self) -> datetime:
        return self.asking.clock.now()


def _mistake(candidate: Candidate, message: str) -> Mistake:
    return Mistake(file=candidate.file, line=candidate.line, column=None, message=message)
