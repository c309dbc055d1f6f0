"""Coverage-guided fuzzing of the parsers by atheris, which is no dependency: ``pip install atheris`` where it has a wheel.

``python -m tests.faults.guided [-max_total_time=60] [FOLDER OF INPUTS]``
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any


def main() -> None:
    """Try inputs until one raises what is not declared, or the time is over; never returns."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed. Next: .venv/bin/python -m pip install atheris")
    with atheris.instrument_imports(include=["transforms", "extractors", "api"]):
        from tests.test_parsers import DECIPHERERS, PARSERS

    bodies = [(entry.parse, entry.declared) for entry in DECIPHERERS.values()]
    texts = list(PARSERS.values())

    def attempt(data: bytes) -> None:
        _try(bodies, data)
        _try(texts, data.decode("utf-8", "replace"))

    atheris.Setup(sys.argv, attempt)
    atheris.Fuzz()


def _try(parsers: Iterable[tuple[Callable[[Any], Any], tuple[type[Exception], ...]]], given: object) -> None:
    for parse, declared in parsers:
        with suppress(*declared):
            parse(given)


if __name__ == "__main__":
    main()
