"""Answers as values: status, headers in the order v4 sends them, body. Pure.

Header names and order are those of Django REST framework behind Django's security, common and clickjacking middleware.
``Vary`` names ``Accept`` only: v4 adds ``Cookie`` for its sessions, and there are none here.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from api.negotiation import HTML, JSON
from transforms.payload import render

METHODS = "GET, HEAD, OPTIONS"
PARSED = (JSON, "application/x-www-form-urlencoded", "multipart/form-data")  # v4 names them, though nothing can be written
_PAGE = f"{HTML}; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer; the headers describe ``body`` even where HEAD leaves it out."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def json_reply(body: bytes, *, status: int = HTTPStatus.OK, is_resource: bool = True) -> Reply:
    """Answer with JSON bytes; an address that does not exist (``is_resource`` false) allows no methods."""
    return _reply(JSON, body, status, is_resource=is_resource)  # without charset: JSON is UTF-8 (RFC 8259)


def page_reply(body: bytes, *, status: int) -> Reply:
    """Answer with a page for people."""
    return _reply(_PAGE, body, status, is_resource=True)


def failure(status: int, detail: str, *, is_resource: bool = True) -> Reply:
    """Answer with one sentence under ``detail``, as Django REST framework words its errors."""
    return json_reply(detail_body(detail), status=status, is_resource=is_resource)


def refuse_writing(method: str) -> Reply | None:
    """Answer OPTIONS and whatever would write, where v4 has no address; None for GET and HEAD."""
    if method in ("GET", "HEAD"):
        return None
    if method == "OPTIONS":
        return Reply(status=HTTPStatus.NO_CONTENT, headers=(("Allow", METHODS),), body=b"")
    return failure(HTTPStatus.METHOD_NOT_ALLOWED, f'Method "{method}" not allowed.')


def not_found(*, is_resource: bool = True) -> Reply:
    """Answer 404 where not even a lookup was possible."""
    return failure(HTTPStatus.NOT_FOUND, "Not found.", is_resource=is_resource)


def redirect(location: str) -> Reply:
    """Send the asker to ``location`` for good, with an empty page."""
    headers = (("Content-Type", _PAGE), ("Location", location), ("Content-Length", "0"), *_SECURITY)
    return Reply(status=HTTPStatus.MOVED_PERMANENTLY, headers=headers, body=b"")


def detail_body(detail: str) -> bytes:
    """Word an error."""
    return render({"detail": detail})


def description_body(name: str, description: str) -> bytes:
    """Word the answer to OPTIONS: what the address is, in which forms it answers."""
    return render({"name": name, "description": description, "renders": [JSON, HTML], "parses": list(PARSED)})


def _reply(content_type: str, body: bytes, status: int, *, is_resource: bool) -> Reply:
    allow = (("Allow", METHODS),) if is_resource else ()
    length = ("Content-Length", str(len(body)))
    headers = (("Content-Type", content_type), ("Vary", "Accept"), *allow, ("X-Frame-Options", "DENY"), length, *_SECURITY)
    return Reply(status=status, headers=headers, body=body)


_SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
