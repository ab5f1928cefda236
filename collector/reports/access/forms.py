"""Forms that pages post: read within bounds, and known to be our own.

Two locks against forms of other sites: the Origin header, which the gate checks for whatever is posted without a
token, and a value in the form that only a page of the same session can know.
"""

from __future__ import annotations

import asyncio
import hmac
from urllib.parse import parse_qsl

from aiohttp import web

from collector.reports.access.site import Site

SITE = web.AppKey("site", Site)
_MOST_BYTES = 16_384
_MOST_FIELDS = 20
_SECONDS = 10


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of a posted form, the first of each name.

    Raises:
        HTTPException: it is no form, too long, or did not arrive in time.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType
    body = bytearray()
    try:
        async with asyncio.timeout(_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise web.HTTPRequestEntityTooLarge(max_size=_MOST_BYTES, actual_size=len(body))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise web.HTTPBadRequest from None
    return dict(reversed(fields))


def session_cookie(request: web.Request) -> str | None:
    """The value of the session's cookie, as it was sent."""
    return request.cookies.get(request.app[SITE].cookie)


def form_token(request: web.Request) -> str:
    """What each form of a session's pages carries as its field `form_token`; empty without a session."""
    cookie = session_cookie(request)
    return hmac.digest(cookie.encode(errors="replace"), b"form", "sha256").hex() if cookie else ""


def is_our_form(request: web.Request, form: dict[str, str]) -> bool:
    """Whether a form was made for the session that sends it."""
    expected = form_token(request)
    return bool(expected) and hmac.compare_digest(expected.encode(), form.get("form_token", "").encode())
