"""Sources of an import on disk or on stdin: read up to a limit, their kind told apart, and the files they include followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from transforms.candidates import Listing
from transforms.source_kinds import READERS, Kind, detect

STDIN = "-"
LARGEST_SOURCE = 64 * 1024 * 1024  # bytes; a name in ten bytes gives six million
MOST_FILES = 1_000


def read_source(source: str, kind: Kind | None, stdin: BinaryIO) -> Iterator[Listing]:
    """Give the listing of a source (a path, or ``-`` for stdin) and of every file it includes, each file once.

    What cannot be read, is too large or is of no kind that can be told becomes a mistake of its listing.
    """
    waiting: list[tuple[Path, str, tuple[Listing, int] | None]] = [(Path(source), source, None)]
    seen: set[Path] = set()
    while waiting:
        path, shown, includer = waiting.pop(0)
        key = path if source == STDIN and includer is None else path.resolve()
        if key in seen:
            continue
        seen.add(key)
        listing = _read(path, shown, kind if includer is None else Kind.REQUIREMENTS, stdin if shown == STDIN else None)
        if includer is not None and len(listing.mistakes) == 1 and listing.mistakes[0].line is None and not listing.candidates:
            parent, line = includer
            parent.refuse(line, f"{shown}: {listing.mistakes[0].message}")
            continue
        if len(seen) > MOST_FILES:
            listing.refuse(None, f"more than {MOST_FILES:,} files are included: name those you mean as sources")
        else:
            folder = Path() if shown == STDIN else path.parent
            waiting += [(folder / include.path, str(folder / include.path), (listing, include.line)) for include in listing.includes]
        yield listing


def _read(path: Path, shown: str, kind: Kind | None, stdin: BinaryIO | None) -> Listing:
    listing = Listing(file="stdin" if stdin else shown)
    try:
        if stdin is not None:
            data = stdin.read(LARGEST_SOURCE + 1)
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST_SOURCE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        listing.refuse(None, f"cannot be read ({reason}): name a file you may read, - for stdin, or an address with --from django-packages")
        return listing
    if len(data) > LARGEST_SOURCE:
        listing.refuse(None, f"is larger than {LARGEST_SOURCE // 2**20} MiB: split it")
        return listing
    found = kind or detect(path.name, data)
    if found is None:
        kinds = ", ".join(READERS)
        listing.refuse(None, f"cannot tell what it is{' (it is empty)' if not data.strip() else ''}: say so with --from, one of {kinds}")
        return listing
    return READERS[found](data, listing.file)
