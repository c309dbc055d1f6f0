"""A file somebody asked for outside the data folder: whole or absent, and what was there stays when it cannot be written."""

from __future__ import annotations

import os
from pathlib import Path

from warehouse.durable import seal
from warehouse.errors import OutputUnwritable


def write_output(content: bytes, path: Path) -> None:
    """Write aside, sync, rename; raises OutputUnwritable when the folder is missing or closed, or something else than a file is there."""
    if not path.parent.is_dir():
        raise OutputUnwritable(f"{path} cannot be written (there is no folder {path.parent}); nothing was written. Next: make the folder")
    if path.exists() and not path.is_file():
        raise OutputUnwritable(f"{path} cannot be written (it is there and not a file); nothing was written. Next: choose another name")
    try:
        seal(path, aside=path.with_name(f".{path.name}.{os.getpid()}"), write=lambda aside: _write(aside, content))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputUnwritable(f"{path} cannot be written ({reason}); what was there is untouched. Next: choose another file") from error


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
