"""The page for people: what was asked and what came back, as readable text with live links. Pure.

Request and response stand in it word for word as on the browsable pages of Django REST framework. It needs no script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from api.negotiation import JSON
from transforms.payload import API_PATH

_HEADERS = (("Allow", "GET, HEAD, OPTIONS"), ("Content-Type", JSON), ("Vary", "Accept"))  # as JSON has them, by name
_ADDRESS = re.compile(r'(?<=")https?://[^"\\\s]+(?=")')
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a page is about: the name of the resource, the request, the status of its answer, and what our paths lie below."""

    name: str
    description: str
    method: str
    target: str
    status: int
    prefix: str = ""


def render_page(shown: Shown, content: str) -> bytes:
    """Write the page around indented JSON."""
    template = _TEMPLATES.get_template("page.html")
    page = template.render(
        shown=shown,
        status_text=HTTPStatus(shown.status).phrase,
        headers=_HEADERS,
        content=_link_addresses(content),
        paragraphs=[paragraph for paragraph in shown.description.split("\n\n") if paragraph],
        trail=_trail(shown),
    )
    return page.encode()


def _link_addresses(content: str) -> Markup:
    """Escape text, and make a link of every JSON string in it that is a web address."""
    pieces, end = [], 0
    for found in _ADDRESS.finditer(content):
        pieces.append(Markup.escape(content[end : found.start()]))
        pieces.append(Markup('<a href="{0}" rel="nofollow">{0}</a>').format(found.group()))
        end = found.end()
    return Markup("").join([*pieces, Markup.escape(content[end:])])


def _trail(shown: Shown) -> list[tuple[str, str]]:
    """The pages above this one and itself: names and addresses."""
    root = shown.prefix + API_PATH
    steps = [("Api Root", root)]
    parts = [part for part in shown.target.partition("?")[0].removeprefix(API_PATH).split("/") if part]
    return steps + [(part, f"{root}{'/'.join(parts[: depth + 1])}/") for depth, part in enumerate(parts)]
