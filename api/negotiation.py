"""In which form an answer is given: JSON, compact or indented, or a page for people. Pure.

The rules are Django REST framework's (https://www.django-rest-framework.org/api-guide/content-negotiation/): the more exactly
a media type is named the sooner it counts, JSON goes before HTML, and ``q`` is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value
from functools import lru_cache

ANYTHING = "*/*"
JSON = "application/json"
HTML = "text/html"
DEEPEST_INDENT = 8
PAGE_INDENT = 4

_FORMATS = {"json": JSON, "api": HTML}


class UnknownFormat(Exception):
    """A format is asked for by name that there is not."""


class NotAcceptable(Exception):
    """The Accept header allows none of the forms there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How to give an answer: as a page or as JSON, its text indented by so many blanks (None: compact)."""

    is_page: bool = False
    indent: int | None = None


@lru_cache(maxsize=1024)
def negotiate(accept: str, name: str | None = None) -> Form:
    """Choose the form for an Accept header and the name of a format, where one is asked for in the address.

    A name narrows what there is and does not overrule the header. Raises UnknownFormat and NotAcceptable.
    """
    media_types = [JSON, HTML]
    if name:
        media_types = [media_type for known, media_type in _FORMATS.items() if known == name]
        if not media_types:
            raise UnknownFormat(name)
    ranges = [_parse(part.strip()) for part in accept.split(",")]
    for precedence in (3, 2, 1, 0):
        for media_type in media_types:
            for asked, parameters in ranges:
                if _precedence(asked, parameters) == precedence and _matches(asked, media_type):
                    return _form(media_type, parameters)
    raise NotAcceptable(accept)


def _form(media_type: str, parameters: dict[str, str]) -> Form:
    is_page = media_type == HTML
    try:
        indent = max(0, min(int(parameters["indent"]), DEEPEST_INDENT)) or None
    except (KeyError, ValueError):
        indent = PAGE_INDENT if is_page else None
    return Form(is_page=is_page, indent=indent)


def _precedence(asked: str, parameters: dict[str, str]) -> int:
    main, _, sub = asked.partition("/")
    if main == "*":
        return 0
    if sub == "*":
        return 1
    return 2 if not parameters or list(parameters) == ["q"] else 3


def _matches(asked: str, media_type: str) -> bool:
    main, _, sub = asked.partition("/")
    own_main, _, own_sub = media_type.partition("/")
    return main in ("*", own_main) and sub in ("*", own_sub)


def _parse(text: str) -> tuple[str, dict[str, str]]:
    """Split a media range from its parameters as Django does; what cannot be read matches nothing."""
    if ";" not in text:
        return text.lower(), {}
    message = Message()
    message["content-type"] = text
    try:
        (name, _), *pairs = message.get_params(failobj=[]) or [("", "")]
        return name.lower(), {key: collapse_rfc2231_value(value) for key, value in pairs if key}
    except (ValueError, LookupError, TypeError):  # numbered and plain parts of one parameter cannot be put in order
        return "", {}
