"""A real browser for tests of pages: Debian's chromium (or another on the path), driven by Playwright.

Where there is none the tests marked with ``NEEDS_BROWSER`` are skipped and say so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDS_BROWSER = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium: the pages were not looked at in a browser (Debian: apt-get install chromium)"
    ),
]


@contextmanager
def headless() -> Iterator[Any]:
    """One headless chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()
