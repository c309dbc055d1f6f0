"""Whether what a data folder holds is whole: landing, store and publication, each by itself and one against the other. Changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.diagnoses import Diagnosis, doubtful, fine, some, wrong
from warehouse.archives import Archives
from warehouse.copying import checksum
from warehouse.database import DUCKDB_ERRORS, first_line
from warehouse.errors import ArchiveDamaged, DataFolderBusy, NothingPublished, StoreOutdated, WarehouseError
from warehouse.folder import DataFolder
from warehouse.foundation import foundation_run
from warehouse.landing import DamagedFile, landed_files, loose_files, read_sealed, run_of
from warehouse.publication import MANIFEST
from warehouse.readers import open_current
from warehouse.reports import read_run_reports
from warehouse.store import Store, open_store

_LEDGER = "SELECT run_id, count(*) FROM store.main.fetches GROUP BY ALL"
_PUT_BACK = "put them back from a backup (packhouse restore FROM --verify finds a whole one); without one: packhouse replay"


def inspect_contents(folder: DataFolder) -> Iterator[Diagnosis]:
    """Read everything once and tell what is not as it should be."""
    archives = Archives.of(folder)
    yield from _landing(folder, archives)
    yield from _runs(folder)
    yield from _store(folder, archives)
    yield _publication(folder)


def _landing(folder: DataFolder, archives: Archives) -> Iterator[Diagnosis]:
    broken = []
    loose = loose_files(folder)
    for file in loose:
        try:
            read_sealed(folder.landing / file)
        except (OSError, pa.ArrowException):
            broken.append(file)
    if broken:
        yield wrong("landing", f"{len(broken):,} of {len(loose):,} landed files cannot be read: {some(broken)}.", _PUT_BACK)
    else:
        yield fine("landing", f"{len(loose):,} landed files, {len(archives.files()):,} more in {len(archives.contents):,} archives.")
    unreadable = [str(path) for path in archives.unreadable]
    for path, files in archives.contents.items():
        try:
            for file in files[:1]:
                next(archives.read(file), None)  # reads all of the archive, with its checksums
        except ArchiveDamaged:
            unreadable.append(str(path))
    if unreadable:
        yield wrong(
            "archives", f"{some(unreadable)} cannot be read.", "put it back from a backup; harvests go on, replay and compact do not"
        )


def _runs(folder: DataFolder) -> Iterator[Diagnosis]:
    reports: list[DamagedFile] = []
    unfinished = [row["run_id"] for row in read_run_reports(folder, on_damaged=reports.append) if row.get("ended_at") is None]
    if reports:
        yield doubtful(
            "run reports",
            f"{some(file.file for file in reports)} cannot be read.",
            "put them back from a backup, else they cost a row of runs",
        )
    if unfinished:
        yield fine("unfinished", f"{some(unfinished)}: under way, or gone on with or loaded by the next run.")
    aside = [path.relative_to(folder.landing).as_posix() for path in folder.landing.rglob("*.damaged")]
    if aside:
        yield doubtful(
            "set aside", f"{some(aside)}: could not be read; their answers count as never landed.", "look at the disk (smartctl, dmesg)"
        )


def _store(folder: DataFolder, archives: Archives) -> Iterator[Diagnosis]:
    if not folder.store_file.exists():
        yield doubtful("store", "there is none.", "packhouse harvest, or packhouse replay when something landed")
        return
    try:
        with open_store(folder, is_read_only=True) as store:
            yield fine("store", f"opens; {len(store.runs()):,} runs, {len(store.loaded_files()):,} landed files loaded.")
            yield _loaded(folder, archives, store)
            yield _sums(folder, archives, store)
    except (StoreOutdated, DataFolderBusy) as error:
        yield doubtful("store", *_parted(error))
    except WarehouseError as error:
        yield wrong("store", *_parted(error))
    except DUCKDB_ERRORS as error:
        yield wrong("store", f"cannot be read ({first_line(error)}).", "packhouse replay")


def _loaded(folder: DataFolder, archives: Archives, store: Store) -> Diagnosis:
    """Every landed file is loaded or waits for its run, and every loaded one is still there."""
    landed, loaded, founded = set(landed_files(folder)), store.loaded_files(), foundation_run(folder)
    gone = [
        file
        for file in sorted(loaded - landed)
        if not (folder.landing / file).exists() and (file.startswith("catalogs/") or not founded or run_of(file) > founded)
    ]
    if gone and archives.unreadable:
        return doubtful("loaded files", "some are in an archive that cannot be read.", "see archives")
    if gone:
        return wrong("loaded files", f"{len(gone):,} that were loaded have gone from the landing: {some(gone)}.", _PUT_BACK)
    waiting = sorted({run_of(file) for file in landed - loaded if not founded or run_of(file) > founded})
    if waiting:
        return doubtful(
            "loaded files", f"runs {some(waiting)} landed and are not loaded.", "nothing, the next harvest or backfill loads them"
        )
    return fine("loaded files", "every landed file is loaded, every loaded file is there.")


def _sums(folder: DataFolder, archives: Archives, store: Store) -> Diagnosis:
    """The ledger has a row for every landed answer of a loaded run."""
    told = dict(store.connection.execute(_LEDGER).fetchall())
    founded, loaded = foundation_run(folder), store.loaded_files()
    landed: Counter[str] = Counter()
    for file in landed_files(folder):
        if file in loaded:
            try:
                landed[run_of(file)] += archives.count(file) if file in archives else pq.read_metadata(folder.landing / file).num_rows
            except (OSError, pa.ArrowException):
                return doubtful("ledger", "cannot be compared while landed files cannot be read.", "see landing")
    odd = [
        f"{run_id} ({told.get(run_id, 0):,} of {count:,})"
        for run_id, count in landed.items()
        if run_id > founded and told.get(run_id, 0) != count
    ]
    if odd:
        return wrong("ledger", f"has other answers than landed in {some(odd)}.", "packhouse replay")
    return fine("ledger", f"has all {sum(landed.values()):,} landed answers.")


def _publication(folder: DataFolder) -> Diagnosis:
    try:
        with open_current(folder) as publication:
            manifest = json.loads((publication.path / MANIFEST).read_text(encoding="utf-8"))
            damaged = [
                name for name, told in manifest["files"].items() if checksum(publication.path / name) != (told["bytes"], told["sha256"])
            ]
            as_of, path = publication.as_of_at, publication.path
    except NothingPublished as error:
        level = wrong if folder.store_file.exists() else doubtful
        return level("publication", *_parted(error))
    except (OSError, KeyError, ValueError) as error:
        return wrong("publication", f"cannot be read ({error}).", "packhouse publish")
    if damaged:
        return wrong("publication", f"{some(damaged)} of {path} are not as they were written.", "packhouse publish writes a new one")
    return fine("publication", f"{path}, as of {as_of:%Y-%m-%d %H:%M} UTC; every file has its checksum.")


def _parted(error: WarehouseError) -> tuple[str, str]:
    """What happened, and what to do."""
    found, _, remedy = str(error).partition(" Next: ")
    return found, remedy
