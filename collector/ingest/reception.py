"""Where reports are handed in: who is let in, the body that is waited for, and the answer that is given.

Thin: what a report means is decided in `intake`, what is said about it in `answers`.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import structlog
from aiohttp import hdrs, web

from collector.addresses import client_address
from collector.ingest import tally
from collector.ingest.admission import Admission
from collector.ingest.answers import answer, batch_answer
from collector.ingest.intake import MEDIA_TYPES
from collector.ingest.limits import NDJSON
from collector.ingest.protocol import outcome_of
from collector.rate import RateLimiter
from schemas.outcomes import Outcome
from schemas.reports import REPORTS

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp.typedefs import Handler, Middleware
    from aiohttp.web_request import BaseRequest

    from collector.ingest.admission import Room
    from collector.ingest.answers import Answer
    from collector.ingest.intake import Intake
    from collector.ingest.limits import Limits
    from schemas.reports import Report

log = structlog.get_logger()
_BY_PATH = {report.path: report for report in REPORTS.values()}
_CLIENT = re.compile(r"product-telemetry/([0-9]{1,6})(?![0-9])")
_ENCODINGS = {"", "identity", "gzip", "deflate"}


class Reception:
    """Takes requests that bring reports.

    Args:
        intake: decides on them and stores them.
        documentation_url: what refusals link to.
    """

    def __init__(self, intake: Intake, documentation_url: str) -> None:
        limits = intake.limits
        self.intake = intake
        self.documentation_url = documentation_url
        self._admission = Admission(limits.max_in_flight, limits.max_in_flight_bytes)
        self._rate = RateLimiter(limits.rate_per_second, limits.rate_burst)

    def takes(self, request: BaseRequest) -> Report | None:
        """The report that `request` brings, if it asks as every client does: `take` needs no routing then."""
        if request.method != hdrs.METH_POST or hdrs.EXPECT in request.headers:
            return None
        return _BY_PATH.get(request.raw_path)

    async def take_routed(self, request: web.Request) -> web.StreamResponse:
        """Takes a report, whatever its path and query are."""
        report = REPORTS.get(f"{request.match_info['name']}/{request.match_info['version']}")
        dry_run = {"": False, "dry_run=0": False, "dry_run=1": True}.get(request.query_string)
        return await self._take(request, report, dry_run=dry_run)

    async def take(self, request: BaseRequest, report: Report) -> web.StreamResponse:
        """Takes a report at its own path, without a query."""
        return await self.answered(request, self._take(request, report, dry_run=False))

    async def _take(self, request: BaseRequest, report: Report | None, *, dry_run: bool | None) -> Answer:
        intake, limits = self.intake, self.intake.limits
        media_type = request.headers.get(hdrs.CONTENT_TYPE, "")
        if media_type not in MEDIA_TYPES:
            media_type = request.content_type.lower()  # with parameters, or in capitals
        refusal = self._refusal(request, report, media_type, dry_run)
        address = None
        if refusal is None and limits.rate_per_second:
            forwarded = request.headers.getall("X-Forwarded-For", ())
            address = client_address(request.remote, forwarded, limits.trusted_proxies)
            if not self._rate.admits(address):
                refusal = Outcome.RATE_LIMITED
        if refusal is not None or report is None or dry_run is None:
            return self._refuse(report, refusal or Outcome.INTERNAL)
        room = self._admission.enter(_batch_bytes(request, media_type, limits))
        if room is None:
            return self._refuse(report, Outcome.BUSY)
        try:
            body = await _read(request, limits.of(media_type), limits.request_seconds, room)
            # A batch is charged for all of its lines before any is looked at.
            if media_type == NDJSON and not self._rate.admits(address, body.count(b"\n")):
                return self._refuse(report, Outcome.RATE_LIMITED)
            results = await intake.take(report, media_type, body, dry_run=dry_run)
        except TimeoutError:
            response = self._refuse(report, Outcome.TOO_SLOW)
            response.force_close()
            return response
        finally:
            self._admission.leave(room)
        if media_type == NDJSON:
            return batch_answer(results, self.documentation_url)
        return answer(*results[0], self.documentation_url)

    def _refusal(
        self, request: BaseRequest, report: Report | None, media_type: str, dry_run: bool | None
    ) -> Outcome | None:
        """Why a request is answered without its body being read, if it is."""
        limits = self.intake.limits
        client = _CLIENT.match(request.headers.get("User-Agent", "")) if limits.stopped_clients else None
        if client and int(client[1]) in limits.stopped_clients:
            return Outcome.CLIENT_STOPPED
        if report is None:
            return Outcome.UNKNOWN_SCHEMA
        if (request.content_length or 0) > limits.of(media_type):
            return Outcome.TOO_LARGE
        if request.headers.get("Content-Encoding", "").lower() not in _ENCODINGS:
            return Outcome.UNSUPPORTED_MEDIA_TYPE
        # A misspelt dry run that was stored would count image builds.
        return Outcome.UNKNOWN_PARAMETER if dry_run is None else None

    def _refuse(self, report: Report | None, outcome: Outcome) -> Answer:
        tally.count_refused(report.id if report else "none", outcome)
        return answer(outcome, None, self.documentation_url)

    async def expect(self, request: web.Request) -> web.StreamResponse | None:
        """Asks for the body of a client that waits to be asked."""
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # an interim answer is not yet the answer
            return None
        return answer(Outcome.MALFORMED, None, self.documentation_url)

    @property
    def in_one_shape(self) -> Middleware:
        """Gives every failure of the application the shape of an answer."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self.answered(request, handler(request))

        return middleware

    async def answered(self, request: BaseRequest, handling: Awaitable[web.StreamResponse]) -> web.StreamResponse:
        """What `handling` answers; every failure has the shape of an answer, and no failure's text reaches the log."""
        try:
            return await handling
        except web.HTTPException as error:
            outcome = outcome_of(error.status)
            response = answer(outcome, None, self.documentation_url)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except web.RequestPayloadError:
            # A body that is not what its Content-Encoding or chunks say.
            outcome = Outcome.MALFORMED
            response = answer(outcome, None, self.documentation_url)
        except ConnectionError:
            raise  # the client went away in the middle of its body
        except Exception as error:  # noqa: BLE001 - a bug in one request must not take others with it
            log.error("request_failed", error=type(error).__name__)
            outcome = Outcome.INTERNAL
            response = answer(outcome, None, self.documentation_url)
        if request.method == hdrs.METH_POST:
            tally.count_refused("none", outcome)
        return response


async def _read(request: BaseRequest, limit: int, seconds: float, room: Room) -> bytes:
    """The body, unpacked; little more than `limit` bytes of it are ever held.

    Raises:
        TimeoutError: it did not come within `seconds`, or as long as there was room for it.
    """
    content = request.content
    if content.is_eof() and content.total_bytes <= limit:
        return content.read_nowait()  # as a rule it comes together with the head: nothing to wait for
    body = bytearray()
    async with asyncio.timeout(seconds) as room.patience:
        async for chunk in content.iter_any():
            body += chunk
            if len(body) > limit:
                raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(body))
    room.patience = None
    return bytes(body)


def _batch_bytes(request: BaseRequest, media_type: str, limits: Limits) -> int:
    """How many bytes a batch may turn out to have: what it declares, or the limit where it is packed or in chunks."""
    if media_type != NDJSON:
        return 0
    if request.content_length is None or request.headers.get("Content-Encoding"):
        return limits.max_batch_bytes
    return request.content_length
