"""Runs the application so that what is no HTTP is answered without a word of it, and nothing of it is logged.

The framework answers such requests before any middleware, with text that quotes what was sent and its own version.
Connections are bounded in number, and in how long they may be idle or dawdle over a request's head.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from collector.reports.access.headers import ALWAYS
from collector.reports.access.refusals import said

if TYPE_CHECKING:
    import asyncio

    from aiohttp.web_request import BaseRequest

log = structlog.get_logger()
_MOST_CONNECTIONS = 500
_IDLE_SECONDS = 30


class _Handler(RequestHandler):
    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a connection, unless there are too many."""
        super().connection_made(transport)
        if self._manager is not None and len(self._manager.connections) > _MOST_CONNECTIONS:
            self.force_close()

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401, ARG002 - the signature is the library's
        """Keeps the type of a failure."""
        log.error("request_failed", error=type(kw.get("exc_info")).__name__)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the signature is the library's
    ) -> web.StreamResponse:
        """The answer to a request that could not be parsed; ends the connection."""
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError
        text = json.dumps({"error": said(status)})
        response = web.Response(text=text, status=status, content_type="application/json", headers=ALWAYS)
        response.headers["Cache-Control"] = "no-store"
        response.force_close()
        return response


class _Server(web.Server):
    def __init__(self, made: web.Server) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory, **made._kwargs)  # noqa: SLF001 - nothing else tells them

    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application behind the quiet request handler."""

    __slots__ = ()

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, access_log=None, keepalive_timeout=_IDLE_SECONDS)

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server())
