"""What is no HTTP gets the same answer as what is no report: one shape, nothing repeated, nothing logged.

The framework answers such requests before any handler runs, with text that quotes what was sent, and
logs the client's address. Its own extension points stop short of that, so its request handler is replaced.
It takes most reports by itself, see `start`.
The same handler bounds connections: their number, how long one may be idle or dawdle over a request's head
(the framework's keep-alive timer does that from the first byte on), and how long an answer may stay unread.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from collector.ingest import tally
from collector.ingest.answers import Response, answer
from collector.ingest.tls import HANDSHAKE_SECONDS
from collector.metrics import CONNECTIONS_CLOSED
from schemas.outcomes import Outcome
from schemas.reports import REPORTS

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable

    from aiohttp.streams import StreamReader
    from aiohttp.web_request import BaseRequest

    from collector.ingest.reception import Reception
    from schemas.reports import Report

log = structlog.get_logger()
_BY_PATH = {report.path: report for report in REPORTS.values()}
# Answers that wait for their reader's attention get this much longer than bodies that are on their way.
_ANSWER_SECONDS = 30
# How long what was sent beyond an early answer is still read, so that the client gets to see the answer.
_LINGER_SECONDS = 5
# How often requests that take too long are looked for: a timer for each of them costs more than reading it.
_LOOK_EVERY_SECONDS = 0.5
_BACKLOG = 1024
_READ_BYTES = 65_536
# What a body that is given up at the end needs to be answered for.
_MOMENT_SECONDS = 0.5


def outcome_of(status: int) -> Outcome:
    """The outcome that stands for an HTTP status of the framework's."""
    known = {
        404: Outcome.NOT_FOUND,
        405: Outcome.METHOD_NOT_ALLOWED,
        408: Outcome.TOO_SLOW,
        413: Outcome.TOO_LARGE,
    }
    return known.get(status, Outcome.INTERNAL if status >= 500 else Outcome.MALFORMED)  # noqa: PLR2004 - HTTP's boundary


class _Handler(RequestHandler):
    # The body of the request that was begun last, None before the first.
    __slots__ = ("asked",)

    asked: StreamReader | None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a connection; where there are too many, the one that has been idle longest makes room."""
        assert isinstance(self._manager, _Server)  # noqa: S101 - made by it
        there_is_room = self._manager.make_room()
        self.asked = None
        super().connection_made(transport)
        if self.ssl_context is None:
            # An answer is under way, and so under guard, until the kernel has all of it: a connection that is closed
            # with some of it unsent stays until its other end reads. TLS has a limit of its own for that.
            cast("asyncio.WriteTransport", transport).set_write_buffer_limits(high=0)
        if not there_is_room:
            self.drop("too_many")

    def eof_received(self) -> bool:  # type: ignore[override] # True keeps the connection, says asyncio
        """Answers a client that has sent its request and closed its side, as simple scripts do.

        The framework would end the connection at once: the report would be stored and never acknowledged.
        """
        asked = self._messages[-1][1] if self._messages else None if self.is_idle() else self.asked
        if asked is None or not asked.is_eof() or self.ssl_context is not None:
            return False  # nothing was asked, or not all of it; TLS cannot be closed on one side alone
        self.close()
        return True

    async def start(self) -> None:
        """Answers what is asked on the connection, until it ends.

        Reports that come whole and at their own path are taken here, one after the other, for what the framework does
        for requests of any kind costs more than reading a report. The first that asks anything else, and all after it
        on this connection, are left to the framework.
        """
        if await self._take_reports() and self._manager is not None:
            await super().start()

    async def _take_reports(self) -> bool:
        """Whether something else is asked."""
        manager = self._manager
        if not isinstance(manager, _Server):
            return False  # the client went away before anything was read
        try:
            while not self._force_close:
                if not self._messages:
                    await self._wait_for_messages()
                message, body = self._messages[0]
                if not isinstance(message, RawRequestMessage) or (report := _plain_report(message, body)) is None:
                    return True
                self._consume_message()
                self.asked = body
                if not await self._take_report(manager, report, message, body):
                    break
        except ConnectionError:
            return False  # the client went away
        except Exception as error:  # noqa: BLE001 - a bug must not leave the connection open
            self.log_exception(exc_info=error)
            self.force_close()
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()
        return False

    async def _wait_for_messages(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _consume_message(self) -> None:
        self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()

    async def _take_report(
        self, manager: _Server, report: Report, message: RawRequestMessage, body: StreamReader
    ) -> bool:
        """Whether the connection stays."""
        manager.requests_count += 1
        manager.guard(self)
        self._request_in_progress = True
        peer = self.peername
        remote = str(peer[0]) if peer and isinstance(peer, tuple) else None
        try:
            answer = await manager.reception.take(report, message.headers, remote, body)
            # After chunks the framework's parser takes what stood behind them for headers of the next request.
            keeps = not (message.should_close or message.chunked or answer.closes)
            if self.transport is None:
                return False
            self.transport.write(answer.wire(message.version.minor, keeps=keeps))
            await self._drain_helper()
        except asyncio.CancelledError:
            self.force_close()
            raise
        finally:
            self._request_in_progress = False
            self.asked = None  # with what was not read of it
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
            manager.was_used(self)
        self._keepalive = keeps
        if not keeps or self._force_close or (self._close and not self._messages):
            return False
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        if self._messages:
            await asyncio.sleep(0)  # a refusal waits for nothing: others have their turn between two
        return True

    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self._waiter is not None and not self._waiter.done()

    def drop(self, reason: str) -> None:
        """Ends the connection now, whatever is still to be written."""
        transport = self.transport
        if transport is None:
            return  # it has ended already
        CONNECTIONS_CLOSED.labels(reason).inc()
        self.force_close()
        transport.abort()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - the signature is the library's
        """Ends the connection after `timeout` seconds and a moment at the latest, whatever is unread by then."""
        guard = self._loop.call_later((timeout or 0) + _MOMENT_SECONDS, self.drop, "unread")
        try:
            await super().shutdown(timeout)
        finally:
            guard.cancel()

    async def _handle_request(
        self,
        request: BaseRequest,
        start_time: float | None,
        request_handler: Callable[[BaseRequest], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        """Handles one request; one whose answer is not read in time is dropped."""
        manager = self._manager
        if not isinstance(manager, _Server):
            raise ConnectionError  # the client went away before its turn came
        manager.guard(self)
        try:
            return await super()._handle_request(request, start_time, request_handler)
        finally:
            manager.was_used(self)

    def log_exception(self, *args: Any, **kw: Any) -> None:  # noqa: ANN401, ARG002 - the signature is the library's
        """Keeps the type of a failure; none of a body that was not what its encoding said, which was answered."""
        error = kw.get("exc_info")
        if not isinstance(error, web.RequestPayloadError):
            log.error("request_failed", error=type(error).__name__)

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
        tally.count_refused("none", outcome)
        url = self._manager.reception.documentation_url  # type: ignore[attr-defined]
        return Response(answer(outcome, None, url, closes=True))


def _plain_report(message: RawRequestMessage, body: StreamReader) -> Report | None:
    """The report that a request brings, if all of it is there and nothing about it is unusual."""
    is_whole = body.is_eof() and not body.exception()
    if message.method != hdrs.METH_POST or message.upgrade or not is_whole or hdrs.EXPECT in message.headers:
        return None
    return _BY_PATH.get(message.path)


class _Server(web.Server):
    def __init__(self, made: web.Server, reception: Reception) -> None:
        make = made.request_factory

        def request_factory(message: Any, body: StreamReader, handler: _Handler, *rest: Any) -> BaseRequest:  # noqa: ANN401 - the framework's own
            handler.asked = body
            return make(message, body, handler, *rest)

        handle = made.request_handler

        async def quiet(request: BaseRequest) -> web.StreamResponse:
            try:
                return await handle(request)
            except web.HTTPException as error:  # from before the middlewares; its text repeats the Expect header
                return Response(answer(outcome_of(error.status), None, reception.documentation_url))

        super().__init__(quiet, request_factory=request_factory, **made._kwargs)  # type: ignore[arg-type] # noqa: SLF001
        self.reception = reception
        self._limits = reception.intake.limits
        # Since when each request is under way, the oldest first.
        self._under_way: dict[RequestHandler, float] = {}
        self._is_watching = False

    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)

    def make_room(self) -> bool:
        """Whether one more connection fits; if need be, the one that has been idle longest is closed for it."""
        if len(self._connections) < self._limits.max_connections:
            return True
        # In the order in which they were made or last used.
        for handler in self._connections:
            if isinstance(handler, _Handler) and handler.is_idle():
                handler.drop("too_many")
                return True
        return False

    def guard(self, handler: RequestHandler) -> None:
        """Has an eye on a request, which has just begun, until it `was_used`."""
        self._under_way[handler] = self._loop.time()
        if not self._is_watching:
            self._is_watching = True
            self._loop.call_later(_LOOK_EVERY_SECONDS, self._watch)

    def _watch(self) -> None:
        too_long_ago = self._loop.time() - self._limits.request_seconds - _ANSWER_SECONDS
        for handler in [handler for handler, since in self._under_way.items() if since < too_long_ago]:
            cast("_Handler", handler).drop("unread")
        self._is_watching = bool(self._under_way)
        if self._is_watching:
            self._loop.call_later(_LOOK_EVERY_SECONDS, self._watch)

    def was_used(self, handler: RequestHandler) -> None:
        """Remembers that a request on this connection has just ended."""
        self._under_way.pop(handler, None)
        transport = self._connections.pop(handler, None)
        if transport is not None:
            self._connections[handler] = transport


class Runner(web.AppRunner):
    """Runs an application behind the quiet request handler.

    Args:
        app: the application.
        reception: takes reports.
        shutdown_timeout: how long requests under way get at the end, in seconds.
    """

    __slots__ = ("_reception",)

    def __init__(self, app: web.Application, reception: Reception, shutdown_timeout: float) -> None:
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=shutdown_timeout,
            keepalive_timeout=reception.intake.limits.idle_seconds,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,  # it would unpack before anybody is admitted, and more than is asked for: zstd
            read_bufsize=_READ_BYTES,
            tcp_keepalive=False,  # idle connections are closed long before it would begin
        )
        self._reception = reception

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self._reception)


class Site(web.SockSite):
    """Accepts connections on a listening socket, with a bound on how long a TLS handshake may take."""

    __slots__ = ()

    def __init__(self, runner: Runner, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        super().__init__(runner, listening, ssl_context=context, backlog=_BACKLOG)

    async def start(self) -> None:
        """Begins to accept."""
        await web.BaseSite.start(self)
        server = self._runner.server
        assert server is not None  # noqa: S101 - the runner was set up
        self._server = await asyncio.get_running_loop().create_server(
            server,
            sock=self._sock,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if self._ssl_context else None,
        )
