"""Answers that say no: JSON to programs, a page to people, never a word of what was asked."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collector.reports.access.rendering import Render

MAKE_A_TOKEN = "an administrator makes tokens with `collector token create NAME`"  # noqa: S105 - advice
WRONG_TOKEN = f"this token is not known, expired or revoked; {MAKE_A_TOKEN}"
_TEXTS = {
    400: "this request cannot be read",
    401: f"sign in, or send the header `Authorization: Bearer TOKEN`; {MAKE_A_TOKEN}",
    403: "your role may not do this; it takes a token made with `collector token create NAME --role admin`",
    404: "there is nothing at this address",
    405: "this address does not take this method",
    408: "the request took too long to arrive",
    413: "the request is too large",
    415: "a form is sent as application/x-www-form-urlencoded",
    421: "this server does not have the name it was asked by: give its address as the setting reports_url, and have"
    " the proxy in front of it pass the Host header on",
    429: "too many attempts to sign in; wait a little",
    500: "a mistake in the program; its log has more",
    503: "sign-in and audit cannot be reached for the moment; try again soon",
}


def is_api(request: web.BaseRequest) -> bool:
    """Whether a program asks, who has no use for a page."""
    return request.path.startswith("/v1/") or request.path == "/openapi.json"


def refusal(request: web.BaseRequest, render: Render, status: int, text: str | None = None) -> web.Response:
    """The answer to what is refused."""
    text = text or said(status)
    if is_api(request):
        response = web.json_response({"error": text}, status=status)
    else:
        shown = f"{text[0].upper()}{text[1:]}."
        page = render("refused.html", title=HTTPStatus(status).phrase, text=shown)
        response = web.Response(text=page, content_type="text/html", status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="published counts"'
    response.headers["Cache-Control"] = "no-store"
    return response


def said(status: int) -> str:
    """What there is to say about a status."""
    return _TEXTS.get(status, _TEXTS[500] if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _TEXTS[400])
