"""Publications that change while clients read: nobody notices but by what is new."""

from __future__ import annotations

import json
import threading
import time

from api.app import create_app
from tests.api.publishing import publish_rows
from tests.api.running import running
from tests.api.sample_rows import NEW_YORK, Rows, package
from tests.api.test_repeats import Line

EDITIONS = 4
CLIENTS = 8


def publish_edition(folder, edition: int) -> None:
    """Publish as many packages as tell the edition, each with its stars."""
    rows = [package(n, f"p{n}", stars_count=edition) for n in range(1, 50 + edition)]
    publish_rows(folder, Rows(package_rows=rows), f"20260215T22{edition:02}00Z-a")


def test_pages_stay_whole_while_publications_change(tmp_path):
    """Every page is from one publication, count, links and records; no answer fails, none is older than the one before, all are served."""
    publish_edition(tmp_path, 1)
    seen: list[list[int]] = [[] for _ in range(CLIENTS)]
    wrong: list[object] = []
    is_over = threading.Event()

    def read(editions: list[int]) -> None:
        line, targets = Line(port), ["/api/v4/packages/?limit=20&offset=20", "/api/v4/packages/?limit=30", "/api/v4/packages/7/"]
        try:
            while not is_over.is_set():
                targets.append(targets.pop(0))
                status, _, body = line.ask(targets[0])
                told = json.loads(body)
                pages = told.get("results", [told])
                found = {row["repo_watchers"] for row in pages} | ({told["count"] - 49} if "count" in told else set())
                ids = [row["id"] for row in pages]
                is_whole = "results" not in told or (ids == list(range(ids[0], ids[0] - len(ids), -1)) and told["next"] is not None)
                if status != 200 or len(found) != 1 or not is_whole:
                    wrong.append((targets[0], status, found))
                editions.extend(found - set(editions[-1:]))
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
            wrong.append(error)
        finally:
            line.close()

    with running(create_app(tmp_path, zone=NEW_YORK, base_url=None)) as port:
        clients = [threading.Thread(target=read, args=(editions,)) for editions in seen]
        for client in clients:
            client.start()
        for edition in range(2, EDITIONS + 1):
            publish_edition(tmp_path, edition)
            end = time.monotonic() + 30
            while not wrong and any(edition not in editions for editions in seen) and time.monotonic() < end:
                time.sleep(0.05)
        is_over.set()
        for client in clients:
            client.join()
    assert wrong == []
    assert seen == [list(range(1, EDITIONS + 1))] * CLIENTS
