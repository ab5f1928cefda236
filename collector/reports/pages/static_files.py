"""The style sheet and the icon: the same for everyone, signed in or not."""

from __future__ import annotations

from aiohttp import web

from collector.reports.pages.frame import icon, styles

_FOR_EVER = "public, max-age=31536000, immutable"
_A_DAY = "public, max-age=86400"


def routes() -> list[web.RouteDef]:
    """`/static/style.css` and `/static/icon.svg`."""
    return [web.get("/static/style.css", _style), web.get("/static/icon.svg", _icon)]


async def _style(request: web.Request) -> web.StreamResponse:
    sheet, version = styles()
    kept = _FOR_EVER if request.query.get("v") == version else "no-cache"
    headers = {"Cache-Control": kept, "ETag": f'"{version}"'}
    if any(one.value == version for one in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=sheet, headers=headers, content_type="text/css", charset="utf-8")


async def _icon(_: web.Request) -> web.StreamResponse:
    return web.Response(body=icon(), headers={"Cache-Control": _A_DAY}, content_type="image/svg+xml")
