"""How the links of an answer begin and end. Pure.

They begin with the configured base address, or with the scheme and host of the request; a format that is asked for in the
address, as a suffix or a parameter, is found again at the end of every link, as Django REST framework does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from transforms.payload import SLASH

FORMAT = "format"  # the parameter that names one

Parameters = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Start and end of every link in one answer."""

    base: str
    ending: str = SLASH

    @property
    def are_plain(self) -> bool:
        """Whether no format leaks into them, so that they are worth keeping."""
        return self.ending == SLASH


def link_ending(suffix: str | None, parameters: Parameters) -> str:
    """Write what follows a name or an id in a link: a slash, or the suffix asked for, and the format parameter."""
    ending = f".{suffix}" if suffix else SLASH
    if FORMAT in parameters:
        ending += "?" + urlencode({FORMAT: parameters[FORMAT][-1]})
    return ending


def escape_path(path: str) -> str:
    """Escape a decoded path as Django escapes it in an address."""
    return quote(path, safe="/:@&+$,-_.!~*'()")


def escape_address(address: str) -> str:
    """Escape what stands in a header, leaving alone what is escaped already."""
    return quote(address, safe="/#%[]=:;$&()+,!?*@'~")
