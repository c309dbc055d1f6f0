"""Answers as values: status, headers in the order v4 sends them, body. Pure.

Header names and order are those of Django REST framework behind Django's security, common and clickjacking middleware.
``Vary`` names ``Accept`` only: v4 adds ``Cookie`` for its sessions, and there are none here.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from transforms.payload import render

METHODS = "GET, HEAD, OPTIONS"
_JSON = "application/json"  # without charset: JSON is UTF-8 (RFC 8259)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer; the headers describe ``body`` even where HEAD leaves it out."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def json_reply(body: bytes, *, status: int = HTTPStatus.OK, is_resource: bool = True) -> Reply:
    """Answer with JSON bytes; an address that does not exist (``is_resource`` false) allows no methods."""
    allow = (("Allow", METHODS),) if is_resource else ()
    headers = (
        ("Content-Type", _JSON),
        ("Vary", "Accept"),
        *allow,
        ("X-Frame-Options", "DENY"),
        ("Content-Length", str(len(body))),
        *_SECURITY,
    )
    return Reply(status=status, headers=headers, body=body)


def failure(status: int, detail: str, *, is_resource: bool = True) -> Reply:
    """Answer with one sentence under ``detail``, as Django REST framework words its errors."""
    return json_reply(render({"detail": detail}), status=status, is_resource=is_resource)


def not_found(*, is_resource: bool = True) -> Reply:
    """Answer 404 where not even a lookup was possible."""
    return failure(HTTPStatus.NOT_FOUND, "Not found.", is_resource=is_resource)


def redirect(location: str) -> Reply:
    """Send the asker to ``location`` for good, with an empty page."""
    headers = (("Content-Type", "text/html; charset=utf-8"), ("Location", location), ("Content-Length", "0"), *_SECURITY)
    return Reply(status=HTTPStatus.MOVED_PERMANENTLY, headers=headers, body=b"")


def describe(name: str, description: str) -> Reply:
    """Answer OPTIONS: what the address is. The formats are those v4 lists, answers in HTML and writing are not offered."""
    return json_reply(
        render(
            {
                "name": name,
                "description": description,
                "renders": [_JSON, "text/html"],
                "parses": [_JSON, "application/x-www-form-urlencoded", "multipart/form-data"],
            }
        )
    )


_SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
