"""Thousands of requests made from the API's own description, right ones and wrong ones, by schemathesis; part of ``make check``.

    python tests/described/generated.py PATH-OF-SCHEMATHESIS

Every answer must be one that ``/api/openapi.json`` describes: its status, its media type, its schema, 405 for other methods, and never 5xx.
Two of schemathesis' checks are left out: v4 ignores a ``limit`` or ``offset`` that is no number, and a slug or a category that fits its
schema need not exist. Ends with 1 when an answer is none of those, or when fewer than 2,000 requests were made.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from api.app import create_app
from tests.api.publishing import publish_rows
from tests.api.running import running
from tests.api.sample_rows import NEW_YORK, SAMPLE, Rows, many

FEWEST = 2000
OPTIONS = (
    *("--phases", "examples,coverage,fuzzing", "--max-examples", "220", "--seed", "1776", "--continue-on-failure", "--workers", "2"),
    *("--exclude-checks", "positive_data_acceptance,negative_data_rejection"),
)


def main() -> int:
    """Publish, serve, let it ask."""
    with tempfile.TemporaryDirectory() as folder:
        publish_rows(Path(folder), Rows(package_rows=[*SAMPLE.packages(), *many(60)[5:]]), "20260215T222000Z-a")
        with running(create_app(Path(folder), zone=NEW_YORK, base_url=None)) as port:
            command = [str(Path(sys.argv[1]).resolve()), "run", f"http://127.0.0.1:{port}/api/openapi.json", *OPTIONS]
            asked = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    found = re.search(r"([\d,]+) generated", asked.stdout)
    count = int(found[1].replace(",", "")) if found else 0
    is_good = asked.returncode == 0 and count >= FEWEST
    sys.stdout.write(f"{count:,} requests made from the description: {'all answered as described' if is_good else asked.stdout}\n")
    return int(not is_good)


if __name__ == "__main__":
    sys.exit(main())
