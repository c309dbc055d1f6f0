"""Compression: which encoding an asker is sent (RFC 9110, 12.5.3), and the bytes in it. Pure.

zstd (RFC 8878) goes before gzip where both are liked as much; it takes a third of the time for the same length.
"""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from functools import lru_cache
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP = "gzip"
ZSTD = "zstd"
IDENTITY = "identity"

_LEVELS = {ZSTD: 6, GZIP: 5}
_WEIGHT = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_GZIP_BITS = 16 + zlib.MAX_WBITS


class Packer(Protocol):
    """Compresses what comes piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """Take a piece; returns what is ready."""

    def flush(self) -> bytes:
        """Give the rest."""


@lru_cache(maxsize=1024)
def choose_encoding(accept_encoding: bytes | None) -> str | None:
    """Choose among zstd, gzip and identity by the weights of an Accept-Encoding header; None without one.

    Equal weights are decided for the shorter answer. What is not named, ``*`` aside, is not liked; a weight that is none counts as 0.
    """
    if accept_encoding is None:
        return None
    weights: dict[str, float] = {}
    for part in accept_encoding.decode("latin-1").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights[name] = _weight(parameters)
    liked = {name: weights.get("x-gzip" if name == GZIP and GZIP not in weights else name, weights.get("*", 0.0)) for name in (ZSTD, GZIP)}
    best = max(liked, key=lambda name: liked[name])
    return best if liked[best] > 0 and liked[best] >= weights.get(IDENTITY, 0.0) else IDENTITY


def pack(encoding: str, body: bytes) -> bytes:
    """Compress a whole body; the same bytes every time."""
    return zstd.compress(body, _LEVELS[ZSTD]) if encoding == ZSTD else gzip.compress(body, _LEVELS[GZIP], mtime=0)


def packer(encoding: str) -> Packer:
    """Begin to compress a body that comes in pieces."""
    return zstd.ZstdCompressor(_LEVELS[ZSTD]) if encoding == ZSTD else zlib.compressobj(_LEVELS[GZIP], wbits=_GZIP_BITS)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if _WEIGHT.fullmatch(value := value.strip()) else 0.0
    return 1.0
