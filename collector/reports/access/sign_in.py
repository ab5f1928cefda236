"""Signing in and out, for people: a token is exchanged for the cookie of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from collector.addresses import client_address
from collector.reports.access import sessions, tokens
from collector.reports.access.attempts import RETRY_AFTER_SECONDS
from collector.reports.access.audit import Line
from collector.reports.access.forms import is_our_form, read_form, session_cookie
from collector.reports.access.identity import Identity
from collector.reports.access.site import Site, local_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.addresses import Network
    from collector.reports.access.attempts import Attempts
    from collector.reports.access.ledger import Ledger
    from collector.reports.access.rendering import Render
    from collector.reports.access.trail import Trail

# The same for a token that is unknown, expired or revoked.
_OPENS_NOTHING = "This token opens nothing: it is mistyped, has expired or was revoked. Ask for a new one."
_TOO_MANY = "Too many attempts. Wait a little and try again."


class SignIn:
    """The pages.

    Args:
        site: gives the cookie's name and whether it is for TLS only.
        ledger: tokens and sessions.
        trail: takes the audit lines of failures.
        attempts: bounds how often it may be tried.
        trusted_proxies: whose X-Forwarded-For tells the address that tries.
        render: makes the page.
        clock: UTC seconds.
    """

    def __init__(
        self,
        site: Site,
        ledger: Ledger,
        trail: Trail,
        attempts: Attempts,
        trusted_proxies: tuple[Network, ...],
        render: Render,
        clock: Callable[[], float],
    ) -> None:
        self._site, self._ledger, self._trail = site, ledger, trail
        self._attempts, self._trusted_proxies = attempts, trusted_proxies
        self._render, self._clock = render, clock

    def routes(self) -> list[web.RouteDef]:
        """GET and POST /sign-in, POST /sign-out."""
        return [
            web.get("/sign-in", self._ask),
            web.post("/sign-in", self._sign_in),
            web.post("/sign-out", self._sign_out),
        ]

    async def _ask(self, request: web.Request) -> web.Response:
        return self._form(local_path(request.query.get("next")))

    async def _sign_in(self, request: web.Request) -> web.Response:
        forwarded = request.headers.getall("X-Forwarded-For", ())
        if not self._attempts.admits(client_address(request.remote, forwarded, self._trusted_proxies)):
            response = self._form("/", _TOO_MANY, 429)
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return response
        form = await read_form(request)
        goes_on = local_path(form.get("next"))
        now = int(self._clock())
        token = await self._ledger.apart(tokens.check, self._ledger, form.get("token", "").strip(), now)
        if token is None:
            if self._attempts.is_worth_a_line():
                self._trail.note(Line(now, "sign_in_failed", how="session"))
            return self._form(goes_on, _OPENS_NOTHING, 401)
        cookie = await self._ledger.apart(sessions.begin, self._ledger, token, session_cookie(request), now)
        response = _go_to(goes_on)
        # Without Max-Age: gone when the browser is closed.
        response.set_cookie(
            self._site.cookie, cookie, path="/", secure=self._site.is_secure, httponly=True, samesite="Strict"
        )
        return response

    async def _sign_out(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        cookie = session_cookie(request)
        now = int(self._clock())
        token = await self._ledger.apart(sessions.check, self._ledger, cookie, now) if cookie else None
        if cookie and token:
            if not is_our_form(request, form):
                raise web.HTTPForbidden
            await self._ledger.apart(
                sessions.end, self._ledger, cookie, Identity(token.name, token.role, "session"), now
            )
        response = _go_to("/sign-in")
        response.del_cookie(self._site.cookie, path="/", secure=self._site.is_secure, httponly=True, samesite="Strict")
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    def _form(self, goes_on: str, problem: str = "", status: int = 200) -> web.Response:
        page = self._render("sign_in.html", next=goes_on, problem=problem)
        response = web.Response(text=page, content_type="text/html", status=status)
        response.headers["Cache-Control"] = "no-store"
        if status == 401:  # noqa: PLR2004 - HTTP's own
            response.headers["WWW-Authenticate"] = 'Bearer realm="published counts"'
        return response


def _go_to(path: str) -> web.Response:
    """A redirect to exactly this path: the framework's own would rewrite it, and might make a host of its beginning."""
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})
