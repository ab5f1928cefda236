"""Headers that every answer of the reports port has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

# No scripts at all; nothing from elsewhere; in nobody's frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Server": "product-telemetry",
    "X-Content-Type-Options": "nosniff",
}


async def secure(_: web.BaseRequest, response: web.StreamResponse) -> None:
    """Sets the headers; an answer's own Cache-Control stays, for who made it knows best."""
    response.headers.update(ALWAYS)
    response.headers.setdefault("Cache-Control", "private")
