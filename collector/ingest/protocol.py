"""What is no HTTP gets the same answer as what is no report: one shape, nothing repeated, nothing logged.

The framework answers such requests before any handler runs, with text that quotes what was sent, and
logs the client's address. Its own extension points stop short of that, so its request handler is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from collector.ingest.answers import answer
from collector.metrics import REPORTS
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest


def outcome_of(status: int) -> Outcome:
    """The outcome that stands for an HTTP status of the framework's."""
    known = {
        404: Outcome.NOT_FOUND,
        405: Outcome.METHOD_NOT_ALLOWED,
        413: Outcome.TOO_LARGE,
    }
    return known.get(status, Outcome.INTERNAL if status >= 500 else Outcome.MALFORMED)  # noqa: PLR2004 - HTTP's boundary


class _Handler(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the signature is the library's
    ) -> web.StreamResponse:
        """The answer to a request that could not be parsed; ends the connection."""
        if self._manager is None or isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError
        outcome = outcome_of(status)
        REPORTS.labels("none", outcome.value).inc()
        response = answer(outcome, None, self._manager.documentation_url)  # type: ignore[attr-defined]
        response.force_close()
        return response


class _Server(web.Server):
    documentation_url = ""

    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application behind the quiet request handler."""

    __slots__ = ("_documentation_url",)

    def __init__(self, app: web.Application, documentation_url: str, *, shutdown_timeout: float) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout)
        self._documentation_url = documentation_url

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)  # noqa: SLF001
        server.documentation_url = self._documentation_url
        return server
