"""Record what PyPI says of the sample catalog's projects, by hand: ``python -m sandbox.record --help``.

Asks the project JSON of each project, one after another and with an identifying User-Agent, as PyPI asks of its callers
(https://docs.pypi.org/api/). Descriptions and download addresses are cut; all else is kept as received. The order of keys is that
of the index asked: a mirror may have its own.
The result is one gzipped file of JSON lines: a header line saying when, then one line per project.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RECORDING = Path(__file__).with_name("sample") / "pypi.jsonl.gz"
HEADER_KIND = "packhouse recording of PyPI project documents"


def project_names(packages_csv: Path) -> list[str]:
    """PEP 503 names of all projects the catalog file refers to, in its order: last part of an address, or the bare name."""
    with packages_csv.open(encoding="utf-8-sig", newline="") as file:
        references = [row["pypi_url"].strip().rstrip("/") for row in csv.DictReader(file)]
    names = [re.sub(r"[-_.]+", "-", reference.rsplit("/", 1)[-1]).lower() for reference in references if reference]
    return list(dict.fromkeys(names))


def trim(document: dict[str, Any]) -> dict[str, Any]:
    """Empty the description, the download address and each file's address; touch nothing else."""
    info = document["info"]
    info["description"] = ""
    if info.get("download_url"):
        info["download_url"] = ""
    for files in [document["urls"], *document["releases"].values()]:
        for file in files:
            file["url"] = ""
    return document


def fetch(url: str, user_agent: str) -> bytes:
    """One GET of a JSON document; raises urllib.error.URLError."""
    request = urllib.request.Request(url, headers={"User-Agent": user_agent, "Accept": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return bytes(response.read())


def record(
    names: list[str], *, index_url: str, user_agent: str, pause_seconds: float, now: Callable[[], datetime]
) -> Iterator[dict[str, Any]]:
    """Yield the header, then one line per project: ``name``, ``received_bytes`` of the untrimmed answer, ``document``."""
    yield {"kind": HEADER_KIND, "recorded_at": now().isoformat(timespec="seconds"), "trimmed": "description, download_url, url of files"}
    for name in names:
        body = fetch(f"{index_url}/pypi/{name}/json", user_agent)
        yield {"name": name, "received_bytes": len(body), "document": trim(json.loads(body))}
        time.sleep(pause_seconds)


def main(arguments: list[str] | None = None) -> int:
    """Record and replace the file in one move; on any failure the old recording stays."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.record", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--index-url", required=True, help="address of PyPI, without a trailing slash")
    parser.add_argument("--contact", required=True, help="address or e-mail sent in the User-Agent")
    parser.add_argument("--catalog", type=Path, default=Path("catalog/packages.csv"))
    parser.add_argument("--pause-seconds", type=float, default=1.0)
    options = parser.parse_args(arguments)
    names = project_names(options.catalog)
    lines: list[bytes] = []
    try:
        for line in record(
            names,
            index_url=options.index_url,
            user_agent=f"packhouse-recorder/0.1 (+{options.contact})",
            pause_seconds=options.pause_seconds,
            now=lambda: datetime.now(UTC),
        ):
            lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode())
            print(f"{len(lines) - 1} of {len(names)}: {line.get('name', line.get('recorded_at'))}", file=sys.stderr)  # noqa: T201 - progress
    except (urllib.error.URLError, ValueError, KeyError) as error:
        print(f"nothing recorded: project {len(lines)} of {len(names)} failed: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 1
    aside = RECORDING.with_suffix(".tmp")
    aside.write_bytes(gzip.compress(b"\n".join(lines) + b"\n", mtime=0))
    aside.replace(RECORDING)
    return 0


if __name__ == "__main__":
    sys.exit(main())
