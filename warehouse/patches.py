"""A body as the difference to the one before it, byte for byte restorable: PyPI's index hardly changes from day to day.

A body is cut behind every ``}`` and every end of line. A patch says which stretches of the old body to copy, and has what is new; of a
piece that was replaced, only what differs. First comes the length of the directions (4 bytes, big-endian), then the directions as a JSON
list of whole numbers, then the new bytes. Three numbers are one step: how far to go on in the old body (backwards when negative), how
many bytes to copy from there, how many new bytes follow.
"""

from __future__ import annotations

import re

import orjson

_PIECE = re.compile(rb"[^}\n]*[}\n]|[^}\n]+")
_WIDTH = 4
_WORTH_A_STEP = 8
_LONG = 4096  # compared byte by byte only up to here


def make_patch(old: bytes, new: bytes) -> bytes:
    """What turns ``old`` into ``new``; may be longer than ``new`` when they have little in common."""
    starts: dict[bytes, int] = {}
    for found in _PIECE.finditer(old):
        starts.setdefault(found[0], found.start())
    steps: list[tuple[int, int, int]] = []  # where from, bytes to copy, bytes that are new
    told: list[bytes] = []
    start = copied = fresh = 0
    for found in _PIECE.finditer(new):
        piece, end = found[0], start + copied
        if not fresh and old.startswith(piece, end):
            copied += len(piece)
        elif piece in starts:
            steps.append((start, copied, fresh))
            start, copied, fresh = starts[piece], len(piece), 0
        elif not fresh and (replaced := _PIECE.match(old, end)) and (kept := _shared(replaced[0], piece))[1]:
            head, tail = kept
            told.append(piece[head : len(piece) - tail])
            steps.append((start, copied + head, len(told[-1])))
            start, copied = replaced.end() - tail, tail
        else:
            told.append(piece)
            fresh += len(piece)
    steps.append((start, copied, fresh))
    directions: list[int] = []
    position = 0
    for begin, length, added in steps:
        directions += (begin - position, length, added)
        position = begin + length
    text = orjson.dumps(directions)
    return b"".join((len(text).to_bytes(_WIDTH, "big"), text, *told))


def _shared(one: bytes, other: bytes) -> tuple[int, int]:
    """How many bytes two pieces have in common at the beginning and, when that is worth a step, at the end; they never overlap."""
    if max(len(one), len(other)) > _LONG:
        return 0, 0
    head = _alike(one, other)
    tail = _alike(one[head:][::-1], other[head:][::-1])
    return (head, tail) if tail >= _WORTH_A_STEP else (0, 0)


def _alike(one: bytes, other: bytes) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def apply_patch(old: bytes, patch: bytes) -> bytes:
    """The body the patch was made for; raises ValueError when it is not a patch of ``old``."""
    behind = _WIDTH + int.from_bytes(patch[:_WIDTH], "big")
    directions = orjson.loads(patch[_WIDTH:behind])
    source, fresh = memoryview(old), memoryview(patch)
    parts: list[memoryview] = []
    position = 0
    for step in range(0, len(directions), 3):
        move, length, added = directions[step : step + 3]
        begin = position + move
        position = begin + length
        if begin < 0 or position > len(old) or behind + added > len(patch):
            raise ValueError("the patch belongs to another body")
        parts += (source[begin:position], fresh[behind : behind + added])
        behind += added
    return b"".join(parts)
