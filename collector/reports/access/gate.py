"""The gate before every answer of the reports port: who asks, may they, and a line in the audit trail.

Whoever is not known gets nothing but what PUBLIC lists. What counts is the route that would answer, never the text
of a path, so that no spelling of a path leads past the gate; what no route answers is refused to strangers alike.

Three ways to be known, the first that was tried counts: a token (`Authorization: Bearer`), the cookie of a session,
or a header in which a reverse proxy of the configured networks names the user. That header is taken off every
request before anything else sees it, and believed from those networks alone.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog
from aiohttp import web

from collector.addresses import is_from
from collector.reports.access import sessions, tokens
from collector.reports.access.audit import Line, plain
from collector.reports.access.forms import session_cookie
from collector.reports.access.identity import IDENTITY, Identity
from collector.reports.access.ledger import LedgerError
from collector.reports.access.refusals import WRONG_TOKEN, is_api, refusal
from collector.reports.access.secret import digest, holds_token
from collector.reports.access.site import Site, local_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler

    from collector.reports.access.attempts import Attempts
    from collector.reports.access.identity import How
    from collector.reports.access.ledger import Ledger
    from collector.reports.access.rendering import Render
    from collector.reports.access.tokens import Token
    from collector.reports.access.trail import Trail
    from collector.settings import Settings

log = structlog.get_logger()
ALIVE = "/livez"
# Routes, and all under them, that answer anyone; and those that answer admins alone.
PUBLIC = (ALIVE, "/sign-in", "/sign-out", "/static")
ADMINS_ONLY = ("/admin", "/v1/admin")
_SAFE = {"GET", "HEAD", "OPTIONS"}
_BEARER = re.compile(r"bearer +([!-~]{1,200})", re.IGNORECASE)
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+\\/=-]{0,127}")
_NOT_OURS = (
    "a form is taken from this site's own pages alone: a browser says so in the Origin header, which is missing or"
    " another site's here; a program sends its token instead, as the header `Authorization: Bearer TOKEN`"
)
_NO_TOKEN = "(held a token)"  # noqa: S105 - what stands in its place


class Gate:
    """Lets requests through, or not.

    Args:
        settings: which proxies may name users.
        site: the names by which the dashboard is reached.
        ledger: tokens and sessions.
        trail: takes the audit lines.
        attempts: bounds the lines about failures.
        render: makes pages.
        clock: UTC seconds.
    """

    def __init__(
        self,
        settings: Settings,
        site: Site,
        ledger: Ledger,
        trail: Trail,
        attempts: Attempts,
        render: Render,
        clock: Callable[[], float],
    ) -> None:
        self._user_header, self._user_proxies = settings.trusted_user_header, settings.trusted_user_proxies
        self._site, self._ledger, self._trail = site, ledger, trail
        self._attempts, self._render, self._clock = attempts, render, clock

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware: outermost, so that every failure gets an answer that repeats nothing."""
        try:
            return await self._answer(request, handler)
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - HTTP's own boundary
                raise
            response = refusal(request, self._render, error.status)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
            return response
        except LedgerError as error:
            log.error("access_file_failed", code=error.code)
            return refusal(request, self._render, 503)
        except ConnectionError:
            raise  # the client went away
        except Exception as error:  # noqa: BLE001 - a mistake in one answer must not take others with it
            log.error("request_failed", error=type(error).__name__)
            return refusal(request, self._render, 500)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.raw_path.startswith("/"):
            raise web.HTTPBadRequest
        hosts = request.headers.getall("Host", [])
        host = hosts[0] if len(hosts) == 1 and self._site.knows(hosts[0]) else None
        if host is None and not is_under(request, (ALIVE,)):  # probes ask by number, and learn nothing else
            raise web.HTTPMisdirectedRequest
        if self._trail.is_full:
            raise web.HTTPServiceUnavailable
        request, user = self._proxys_user(request)
        is_public = is_under(request, PUBLIC)
        # A token does not come by itself, as cookies do: who sends one means it.
        may_be_forged = request.method not in _SAFE and (is_public or "Authorization" not in request.headers)
        if may_be_forged and not self._site.is_own_origin(request.headers.get("Origin"), host):
            return refusal(request, self._render, 403, _NOT_OURS)
        if is_public:
            return await handler(request)
        identity = await self._identify(request, user)
        if identity is None:
            return self._challenge(request)
        return await self._audited(request, identity, handler)

    async def _audited(self, request: web.Request, identity: Identity, handler: Handler) -> web.StreamResponse:
        status = 500
        try:
            if identity.role != "admin" and is_under(request, ADMINS_ONLY):
                raise web.HTTPForbidden
            request[IDENTITY] = identity
            response = await handler(request)
            status = response.status
            return response  # noqa: TRY300 - the line is written either way
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            path, _, query = request.raw_path.partition("?")
            path, query = (_NO_TOKEN if holds_token(part) else plain(part) for part in (path, query))
            at = int(self._clock())
            self._trail.note(Line(at, "viewed", identity.name, identity.role, identity.how, path, query, status))

    async def _identify(self, request: web.Request, user: str | None) -> Identity | None:
        now = int(self._clock())
        given = request.headers.getall("Authorization", ())
        if given:
            match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
            token = await self._ledger.apart(tokens.check, self._ledger, match[1] if match else "", now)
            if token is None and self._attempts.is_worth_a_line():
                self._trail.note(Line(now, "sign_in_failed", how="token"))
            return self._known(token, "token", now) if token else None
        cookie = session_cookie(request)
        if cookie:
            token = await self._ledger.apart(sessions.check, self._ledger, cookie, now)
            if token is not None:
                self._trail.note_seen(digest(cookie), now)
                return self._known(token, "session", now)
        return Identity(user, "viewer", "proxy") if user else None

    def _known(self, token: Token, how: How, now: int) -> Identity:
        self._trail.note_used(token.id, dt.datetime.fromtimestamp(now, dt.UTC).date())
        return Identity(token.name, token.role, how)

    def _proxys_user(self, request: web.Request) -> tuple[web.Request, str | None]:
        """The request without the header that names a user, and the user, if the header may be believed."""
        if self._user_header is None or self._user_header not in request.headers:
            return request, None
        given = request.headers.getall(self._user_header)
        is_believed = is_from(request.remote, self._user_proxies) and len(given) == 1 and _USER.fullmatch(given[0])
        rest = request.headers.copy()
        rest.popall(self._user_header)
        try:
            return request.clone(headers=rest), given[0] if is_believed else None
        except UnicodeEncodeError:
            raise web.HTTPBadRequest from None

    def _challenge(self, request: web.Request) -> web.Response:
        """To a person's browser the sign-in page, which leads back; to everything else the way to a token."""
        is_page = request.method in {"GET", "HEAD"} and not is_api(request) and "Authorization" not in request.headers
        if not is_page:
            return refusal(request, self._render, 401, WRONG_TOKEN if "Authorization" in request.headers else None)
        back = local_path(request.raw_path)
        location = "/sign-in" if back == "/" else f"/sign-in?next={quote(back, safe='')}"
        return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def is_under(request: web.Request, places: tuple[str, ...]) -> bool:
    """Whether the route that will answer is one of these, or under one."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else ""
    return any(route == place or route.startswith(f"{place}/") for place in places)
