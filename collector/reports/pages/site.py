"""The dashboard's routes. What a page shows is kept until something is released; its frame is made each time."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from collector.reports.api import once
from collector.reports.cache import Cache, Kept
from collector.reports.pages import overview, static_files
from collector.reports.pages.documents import api_page, data_page
from collector.reports.pages.frame import Visitor, content, framed, prepare, styles
from collector.reports.pages.freshness import at, freshness
from collector.reports.pages.names import Names
from collector.reports.pages.pictures import Pictures
from collector.reports.pages.product import product_page
from collector.reports.pages.releases import releases_page
from collector.reports.question import UsageError
from collector.reports.remembered import remembering

if TYPE_CHECKING:
    from collector.reports.api import Api
    from collector.reports.library import Library

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Page = tuple[str, str]
"""Title of the window, and content."""
Make = Callable[["Library"], Page]
"""Makes a page out of a library that looks once; see `remembering`."""
_PAGE_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Cookie"}
_PACKED_FROM_BYTES = 1_000


def nobody(_: web.Request) -> Visitor:
    """Where there is no sign-in."""
    return Visitor()


class Pages:
    """Makes pages.

    Args:
        api: pictures are kept beside its answers.
        library: what pages are made of.
        state: says when the library's answers change; blocking.
        dictionary: the data dictionary, Markdown; blocking.
        visitor: who looks, for the frame.
        publish_after_minutes: how long after midnight UTC a day is closed.
        clock: now, UTC.
    """

    def __init__(
        self,
        api: Api,
        library: Library,
        state: Callable[[], str],
        dictionary: Callable[[], str],
        *,
        visitor: Callable[[web.Request], Visitor] = nobody,
        publish_after_minutes: int = 30,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        prepare()
        self._library, self._dictionary, self._names = library, dictionary, Names(library.catalogue)
        self._visitor, self._after, self._clock = visitor, publish_after_minutes, clock
        self._pictures = Pictures(api, library, self._names)
        self._cache = Cache(state)

    def routes(self) -> list[web.RouteDef]:
        """`/`, `/products/...`, `/data`, `/api`, `/releases`, `/charts/...` and `/static/...`."""
        return [
            web.get("/", self._page(self._overview)),
            web.get("/products/{product}", self._page(self._product)),
            web.get("/data", self._page(self._data)),
            web.get("/api", self._page(self._api_page)),
            web.get("/releases", self._page(self._releases)),
            *self._pictures.routes(),
            *static_files.routes(),
        ]

    def make_ready(self, is_stopping: Callable[[], bool]) -> None:
        """Makes the pages that people look at first, where they are not kept, so that no reader waits for them.

        Blocking; takes a tenth of a second for each product after a release, and nothing afterwards.
        """
        if not self._library.released.periods("day"):
            return
        self._kept("/?", lambda library: ("Products", overview.overview_page(library, {})))
        for name in self._library.catalogue().products:
            if is_stopping():
                return
            self._kept(f"/products/{name}?", partial(self._product_page, name=name, given={}))

    def _page(self, make: Callable[[Library, web.Request], Page]) -> Handler:
        """A page's handler; `make` may raise UsageError or HTTPNotFound."""

        async def handler(request: web.Request) -> web.StreamResponse:
            asked = f"{request.path}?{'&'.join(sorted(request.query_string.split('&')))}"
            tag, kept = await asyncio.to_thread(self._kept, asked, lambda library: make(library, request))
            return self._answer(request, tag, kept)

        return handler

    def _kept(self, asked: str, make: Make) -> tuple[str, Kept]:
        """The tag and the content of a page, from the cache or made now."""
        tag = self._cache.tag(asked)
        kept = self._cache.get(tag)
        if kept is None:
            kept = self._made(asked.partition("?")[0], make)
            if kept.status == 200:  # noqa: PLR2004 - HTTP's own
                self._cache.keep(tag, kept)
        return tag, kept

    def _made(self, path: str, make: Make) -> Kept:
        status, library = 200, remembering(self._library)
        try:
            title, main = make(library)
        except UsageError as error:
            status, title = 400, "This cannot be shown"
            main = content("problem.html", problem=str(error), path=path)
        days = library.released.periods("day")
        through = days[-1].isoformat() if days else ""
        text = json.dumps({"title": title, "main": main, "through": through})
        return Kept(status, "application/json", text.encode())

    def _answer(self, request: web.Request, tag: str, kept: Kept) -> web.Response:
        """The page in its frame, or 304 where the client has it."""
        told = json.loads(kept.body)
        visitor = self._visitor(request)
        through = dt.date.fromisoformat(told["through"]) if told["through"] else None
        fresh = freshness(through, self._clock(), self._after)
        seen = f"{tag}\n{visitor}\n{fresh}\n{styles()[1]}"
        own_tag = hashlib.sha256(seen.encode(errors="replace")).hexdigest()[:32]
        headers = _PAGE_HEADERS | {"ETag": f'W/"{own_tag}"'}
        if kept.status != 200:  # noqa: PLR2004 - HTTP's own
            headers = {"Cache-Control": "no-store"}
        elif any(one.value == own_tag for one in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        text = framed(
            told["title"],
            told["main"],
            path=request.path,
            visitor=visitor,
            fresh=fresh,
            simulated=self._library.simulated,
        )
        response = web.Response(text=text, status=kept.status, headers=headers, content_type="text/html")
        if len(text) >= _PACKED_FROM_BYTES:
            response.enable_compression()
        return response

    def _overview(self, library: Library, request: web.Request) -> Page:
        given = _known(request, overview.PARAMETERS)
        return "Products", self._nothing_yet(library) or overview.overview_page(library, given)

    def _product(self, library: Library, request: web.Request) -> Page:
        return self._product_page(library, request.match_info["product"], once(request))

    def _product_page(self, library: Library, name: str, given: dict[str, str]) -> Page:
        called = self._names.called(name)
        return called.title, self._nothing_yet(library) or product_page(library, called, given)

    def _data(self, library: Library, request: web.Request) -> Page:
        _known(request, set())
        return "Data and privacy", data_page(self._dictionary(), library.claim())

    def _api_page(self, _: Library, request: web.Request) -> Page:
        _known(request, set())
        return "API", api_page()

    def _releases(self, library: Library, request: web.Request) -> Page:
        given = _known(request, {"grain", "page"})
        releases = library.releases()["releases"]
        return "Releases", releases_page(releases, given.get("grain", ""), given.get("page") or "1")

    def _nothing_yet(self, library: Library) -> str:
        """What there is to say before the first day is closed; empty after it."""
        if library.released.periods("day"):
            return ""
        return content("nothing.html", closes=at(self._clock().date(), self._after), after_minutes=self._after)


def _known(request: web.Request, names: set[str]) -> dict[str, str]:
    given = once(request)
    if set(given) - names:
        raise UsageError(f"this page takes {', '.join(sorted(names)) or 'no parameters'}")
    return given
