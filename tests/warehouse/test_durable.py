from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.durable import make_folder, point, seal


def test_seal_gives_the_file_its_name_and_leaves_nothing_aside(tmp_path):
    """A sealed file has its content under its name, in folders made for it."""
    seal(tmp_path / "a" / "b" / "file", aside=tmp_path / "aside" / "x", write=lambda path: path.write_text("whole"))
    assert (tmp_path / "a" / "b" / "file").read_text() == "whole"
    assert list((tmp_path / "aside").iterdir()) == []


def test_seal_that_fails_keeps_the_old_file_and_leaves_nothing_aside(tmp_path):
    """Half a file is never seen, neither under its name nor aside."""
    (tmp_path / "file").write_text("old")

    def write(path: Path) -> None:
        path.write_text("ha")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        seal(tmp_path / "file", aside=tmp_path / "aside" / "x", write=write)
    assert (tmp_path / "file").read_text() == "old"
    assert list((tmp_path / "aside").iterdir()) == []


def test_make_folder_makes_all_and_accepts_what_is_there(tmp_path):
    """Making a folder twice is making it once."""
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_point_moves_a_link_by_a_relative_path(tmp_path):
    """The link survives moving the folder that holds it, and a leftover of a killed process does not hinder."""
    (tmp_path / "all" / "one").mkdir(parents=True)
    (tmp_path / "all" / "two").mkdir()
    point(tmp_path / "current", tmp_path / "all" / "one")
    (tmp_path / ".current.aside").symlink_to("nowhere")
    point(tmp_path / "current", tmp_path / "all" / "two")
    assert (tmp_path / "current").readlink() == Path("all/two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "current"]
