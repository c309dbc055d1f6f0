"""A file asked for outside the data folder is whole or absent."""

from __future__ import annotations

import os

import pytest

from tests.warehouse.scenes import small_disk
from warehouse.errors import OutputUnwritable
from warehouse.output import write_output


def test_what_was_there_is_replaced_at_once(tmp_path):
    """The new content under the same name, and nothing beside it."""
    path = tmp_path / "report.html"
    for content in (b"first", b"second"):
        write_output(content, path)
        assert path.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_folder_is_not_made(tmp_path):
    """A slip in the path is told, not followed."""
    with pytest.raises(OutputUnwritable, match=r"no folder .*Next: make the folder"):
        write_output(b"", tmp_path / "nowhere" / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_device_or_a_folder_is_left_alone(tmp_path):
    """Whoever is root must not replace a pipe or /dev/null by a file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OutputUnwritable, match="not a file"):
            write_output(b"", tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_leaves_what_was_there(tmp_path):
    """The last report stands, nothing is left beside it, and the message says what to do."""
    with small_disk(tmp_path / "disk", 64) as disk:
        path = disk / "report.html"
        write_output(b"last", path)
        with pytest.raises(OutputUnwritable, match=r"no space left .*untouched. Next:"):
            write_output(b"x" * 200_000, path)
        assert path.read_bytes() == b"last"
        assert [path.name for path in disk.iterdir()] == ["report.html"]
