"""The API as files: every file has the bytes that are served, and a web server's few rules are enough to walk it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from api.bodies import Bodies
from api.snapshot import take_snapshot
from api.static_files import static_files
from tests.api.running import app_over, ask, running
from tests.api.sample_rows import BASE, NEW_YORK, ODD, SCHEDULER, Rows, many, package
from warehouse.errors import ExportFailed
from warehouse.exported import put_tree

MANY = Rows(package_rows=[*many(45), SCHEDULER, ODD, package(2000, "2048"), package(2001, "Straße_1")])


def files_of(rows: Rows, base: str = BASE, **manner: bool) -> dict[str, bytes]:
    """Make the files of a publication that is only rows."""
    return dict(static_files(Bodies(take_snapshot(rows), NEW_YORK), base, **manner))


def target_of(file: str) -> str:
    """Which address a web server answers with this file."""
    found = re.fullmatch(r"(.*/)pages/(.*)\.json", file)
    return quote(f"/{found[1]}") + f"?{found[2]}" if found else quote(f"/{file.removesuffix('index.json')}")


def test_every_file_has_the_bytes_that_are_served(tmp_path):
    """Root, lists, their pages and records by id and slug are, byte for byte, what the API answers at their address."""
    files = files_of(MANY)
    with running(app_over(MANY, tmp_path, BASE)) as port:
        for name, body in files.items():
            status, headers, served = ask(port, "GET", target_of(name))
            assert (status, dict(headers)["content-type"], served) == (200, "application/json", body), name
    assert {"api/v4/packages/1776/index.json", "api/v4/packages/Straße_1/index.json", "api/v4/grids/calendars/index.json"} <= set(files)
    assert not any("search" in name for name in files)


def test_links_can_be_walked_on_the_files_alone():
    """From the root, every link but search leads to a file; the pages of a list show every record once, forth and back."""
    files = files_of(MANY, "https://example.org/dp")
    by_address = {f"https://example.org/dp{target_of(name)}": json.loads(body) for name, body in files.items()}
    root = by_address["https://example.org/dp/api/v4/"]
    assert [kind for kind, link in root.items() if link not in by_address] == ["search"]
    seen, link = [], root["packages"]
    while link:
        page = by_address[link]
        assert page["previous"] is None or page["previous"] in by_address
        seen += [row["id"] for row in page["results"]]
        assert all(row["category"] in by_address and all(grid in by_address for grid in row["grids"]) for row in page["results"])
        link = page["next"]
    assert seen == sorted((row["id"] for row in MANY.packages()), reverse=True)


def test_one_page_is_the_answer_to_a_limit_of_all(tmp_path):
    """With whole lists in one file nothing links to a page, and the bytes are those of a limit as long as the list."""
    files = files_of(MANY, is_one_page=True)
    assert not any("/pages/" in name for name in files)
    with running(app_over(MANY, tmp_path, BASE)) as port:
        assert files["api/v4/packages/index.json"] == ask(port, "GET", "/api/v4/packages/?limit=100000")[2]
    assert json.loads(files_of(Rows(package_rows=[]), is_one_page=True)["api/v4/packages/index.json"])["results"] == []


def test_what_no_address_reaches_gets_no_file():
    """A slug that the API cannot be asked for, or that would leave the folder, is none; ids are always reached."""
    slugs = ["a-b", "007", "²", "\u0667", "a.b", "a/b", "..", "../x", ""]
    files = files_of(Rows(package_rows=[package(number, slug) for number, slug in enumerate(slugs, start=20)]))
    records = {name.split("/")[3] for name in files if re.fullmatch(r"api/v4/packages/[^/]+/index\.json", name)}
    assert records == {"a-b", *(str(number) for number in range(20, 29))}
    assert not any("app" in name or ".." in name for name in files)


def test_a_slug_of_digits_hides_no_record():
    """A slug of digits is no address, and takes no other record's place."""
    files = files_of(Rows(package_rows=[package(1, "2"), package(2, "b")]))
    assert json.loads(files["api/v4/packages/2/index.json"])["slug"] == "b"


def test_an_export_is_put_in_place_whole(tmp_path):
    """The link leads to the new files from one moment to the next; what fails half way leaves the old ones and nothing else."""
    target = tmp_path / "public"
    assert put_tree(target, [("a/b.json", b"1"), ("c", b"2")]) == 2

    def failing():
        yield "a/b.json", b"3"
        assert (target / "a" / "b.json").read_bytes() == b"1"
        raise OSError(28, "No space left on device")

    with pytest.raises(ExportFailed, match=r"no space left.*untouched.*Next: "):
        put_tree(target, failing())
    assert (target / "a" / "b.json").read_bytes() == b"1"
    assert len(list(tmp_path.iterdir())) == 2
    put_tree(target, [("c", b"4")])
    assert (target / "c").read_bytes() == b"4"
    assert not (target / "a").exists()
    put_tree(target, [("c", b"5")])
    assert len(list(tmp_path.iterdir())) == 3  # the link, what it leads to, and the tree before it


def test_what_is_no_export_is_never_touched(tmp_path):
    """A folder, a file or another's link at the target is refused, and stays; folders with a like name stay too."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / ".public.mine").mkdir()
    for name in ("folder", "file", "link"):
        with pytest.raises(ExportFailed, match=r"no export of packhouse.*Next: "):
            put_tree(tmp_path / name, [("a", b"")])
    put_tree(tmp_path / "public", [("a", b"")])
    put_tree(tmp_path / "public", [("a", b"")])
    put_tree(tmp_path / "public", [("a", b"")])
    assert Path(tmp_path / ".public.mine").is_dir()
    assert (tmp_path / "file").read_text() == "mine"
    assert urlsplit(str((tmp_path / "link").readlink())).path == "folder"
