"""What can go wrong in storage, drawn for the catcher.

WarehouseError
├── DataFolderUnusable      the folder cannot be made, read or written; the disk is full
│   └── DataFolderBusy      another process is working in it (``pid``, ``since``)
├── ArchiveDamaged          an archive of the landing cannot be read; the store and what is published stay
├── StoreUnusable           the store is corrupt, of another schema, or refused a statement; replay rebuilds it
│   └── StoreOutdated       it is of an earlier schema (``version``) and becomes one of today's when it is next opened for writing
├── PublicationFailed       a publication could not be written; ``current`` has not moved
├── BackupFailed            a backup could not be written; earlier ones and the data folder are untouched
├── BackupDamaged           a backup cannot be read, or is not what was written; nothing was changed
├── RestoreRefused          the data folder has something already, or cannot take the backup; nothing was changed
├── ExportFailed            files for others could not be written; those of the last export are untouched
├── CatalogUnwritable       an import cannot write in the catalog's folder; the catalog is as it was
├── NothingPublished        there is no publication to read
├── OutputUnwritable        a file asked for outside the data folder cannot be written
└── InvalidQuery            a query was refused or cannot be answered

Every message says what happened, to what, what that means, and what to do next.
"""

from __future__ import annotations

from datetime import datetime


class WarehouseError(Exception):
    """Root of everything this room raises on purpose."""


class DataFolderUnusable(WarehouseError):
    """The data folder cannot be made, read or written."""


class DataFolderBusy(DataFolderUnusable):
    """Another process works in the data folder; ``pid`` and ``since`` (UTC) tell which, where known."""

    def __init__(self, message: str, *, pid: int | None, since: datetime | None) -> None:
        super().__init__(message)
        self.pid = pid
        self.since = since


class ArchiveDamaged(WarehouseError):
    """An archive of the landing cannot be read."""


class StoreUnusable(WarehouseError):
    """The store cannot be opened or written."""


class StoreOutdated(StoreUnusable):
    """The store is of an earlier schema that can be carried over; ``version`` tells which."""

    def __init__(self, message: str, *, version: int) -> None:
        super().__init__(message)
        self.version = version


class PublicationFailed(WarehouseError):
    """A publication could not be written; the last good one is untouched."""


class BackupFailed(WarehouseError):
    """A backup could not be written; earlier ones and the data folder are untouched."""


class BackupDamaged(WarehouseError):
    """A backup cannot be read, or is not what was written; nothing was changed."""


class RestoreRefused(WarehouseError):
    """The data folder has something already, or cannot take the backup; nothing was changed."""


class ExportFailed(WarehouseError):
    """Files for others could not be written; those of the last export are untouched."""


class CatalogUnwritable(WarehouseError):
    """An import cannot write in the folder of the catalog; the catalog is as it was."""


class NothingPublished(WarehouseError):
    """There is no publication to read."""


class OutputUnwritable(WarehouseError):
    """A file asked for outside the data folder cannot be written; what was there is untouched."""


class InvalidQuery(WarehouseError):
    """A query was refused, or DuckDB cannot answer it."""
