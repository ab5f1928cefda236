"""Where reports are handed in: who is let in, the body that is waited for, and the answer that is given.

Thin: what a report means is decided in `intake`, what is said about it in `answers`.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from typing import TYPE_CHECKING

import structlog
from aiohttp import hdrs, web

from collector.addresses import client_address
from collector.ingest import tally
from collector.ingest.admission import Admission
from collector.ingest.answers import GOOD, answer, batch_answer, good_answer
from collector.ingest.intake import MEDIA_TYPES
from collector.ingest.limits import NDJSON
from collector.rate import RateLimiter
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from aiohttp.streams import StreamReader
    from multidict import CIMultiDictProxy

    from collector.addresses import Address
    from collector.ingest.admission import Room
    from collector.ingest.answers import Answer
    from collector.ingest.intake import Intake
    from collector.ingest.limits import Limits
    from schemas.reports import Report

log = structlog.get_logger()
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

    async def take(
        self,
        report: Report | None,
        headers: CIMultiDictProxy[str],
        remote: str | None,
        content: StreamReader,
        *,
        dry_run: bool | None = False,
    ) -> Answer:
        """Takes what one request brings.

        Args:
            report: the report that its path names, if there is such a report.
            headers: of the request.
            remote: the connection's other end.
            content: the body.
            dry_run: whether nothing is stored; None if the query cannot be told.
        """
        try:
            return await self._take(report, headers, remote, content, dry_run)
        except _RefusedError as refused:
            outcome = refused.outcome
        except ConnectionError:
            raise  # the client went away in the middle of its body
        except Exception as error:  # noqa: BLE001 - a bug in one request must not take others with it
            log.error("request_failed", error=type(error).__name__)
            outcome = Outcome.INTERNAL
        tally.count_refused(report.id if report else "none", outcome)
        return answer(outcome, None, self.documentation_url, closes=outcome is Outcome.TOO_SLOW)

    async def _take(
        self,
        report: Report | None,
        headers: CIMultiDictProxy[str],
        remote: str | None,
        content: StreamReader,
        dry_run: bool | None,
    ) -> Answer:
        limits = self.intake.limits
        media_type = headers.get(hdrs.CONTENT_TYPE, "")
        if media_type not in MEDIA_TYPES:
            media_type = media_type.partition(";")[0].strip().lower()
        self._look_at_client(headers)
        if report is None:
            raise _RefusedError(Outcome.UNKNOWN_SCHEMA)
        self._look_at_body(headers, media_type)
        if dry_run is None:
            # A misspelt dry run that was stored would count image builds.
            raise _RefusedError(Outcome.UNKNOWN_PARAMETER)
        address = None
        if limits.rate_per_second:
            address = client_address(remote, headers.getall("X-Forwarded-For", ()), limits.trusted_proxies)
            self._charge(address, 1)
        room = self._admission.enter(_batch_bytes(headers, media_type, limits))
        if room is None:
            raise _RefusedError(Outcome.BUSY)
        try:
            body = await _read(content, limits.of(media_type), limits.request_seconds, room)
            body = _unpack(body, headers.get(hdrs.CONTENT_ENCODING, "").lower(), limits.of(media_type))
            if media_type == NDJSON:
                # A batch is charged for all of its lines before any is looked at.
                self._charge(address, body.count(b"\n"))
            results = await self.intake.take(report, media_type, body, dry_run=dry_run)
        finally:
            self._admission.leave(room)
        if media_type == NDJSON:
            return batch_answer(results, self.documentation_url)
        outcome, field = results[0]
        if outcome in GOOD:
            return good_answer(outcome, self.documentation_url)
        return answer(outcome, field, self.documentation_url)

    def _look_at_client(self, headers: CIMultiDictProxy[str]) -> None:
        stopped = self.intake.limits.stopped_clients
        client = _CLIENT.match(headers.get(hdrs.USER_AGENT, "")) if stopped else None
        if client and int(client[1]) in stopped:
            raise _RefusedError(Outcome.CLIENT_STOPPED)

    def _look_at_body(self, headers: CIMultiDictProxy[str], media_type: str) -> None:
        """Refuses a body by what the head says of it."""
        if int(headers.get(hdrs.CONTENT_LENGTH, 0)) > self.intake.limits.of(media_type):
            raise _RefusedError(Outcome.TOO_LARGE)
        encodings = headers.getall(hdrs.CONTENT_ENCODING, [""])
        if len(encodings) > 1 or encodings[0].lower() not in _ENCODINGS:
            raise _RefusedError(Outcome.UNSUPPORTED_MEDIA_TYPE)

    def _charge(self, address: Address | None, reports: int) -> None:
        if not self._rate.admits(address, reports):
            raise _RefusedError(Outcome.RATE_LIMITED)


class _RefusedError(Exception):
    """A request whose body is not looked at, or was not to be had."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


async def _read(content: StreamReader, limit: int, seconds: float, room: Room) -> bytes:
    """The body, unpacked; little more than `limit` bytes of it are ever held.

    Raises:
        _RefusedError: it is longer than `limit`, is not what its Content-Encoding or chunks say, or did not come within
            `seconds` or as long as there was room for it.
    """
    if content.is_eof() and content.total_bytes <= limit:
        return content.read_nowait()  # as a rule it comes together with the head: nothing to wait for
    body = bytearray()
    try:
        async with asyncio.timeout(seconds) as room.patience:
            async for chunk in content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise _RefusedError(Outcome.TOO_LARGE)
    except web.RequestPayloadError as error:
        raise _RefusedError(Outcome.MALFORMED) from error
    except TimeoutError as error:
        raise _RefusedError(Outcome.TOO_SLOW) from error
    room.patience = None
    return bytes(body)


def _unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """What was packed, all of it and no more than `limit` bytes.

    Raises:
        _RefusedError: it is longer, or not what its Content-Encoding says.
    """
    if encoding in {"", "identity"} or not body:
        return body
    raw = encoding == "deflate" and body[0] & 0xF != zlib.DEFLATED  # as some clients send it
    decoder = zlib.decompressobj(31 if encoding == "gzip" else -15 if raw else 15)
    try:
        plain = decoder.decompress(body, limit + 1)
    except zlib.error as error:
        raise _RefusedError(Outcome.MALFORMED) from error
    if len(plain) > limit:
        raise _RefusedError(Outcome.TOO_LARGE)
    if not decoder.eof or decoder.unused_data:
        raise _RefusedError(Outcome.MALFORMED)
    return plain


def _batch_bytes(headers: CIMultiDictProxy[str], media_type: str, limits: Limits) -> int:
    """How many bytes a batch may turn out to have: what it declares, or the limit where it is packed or in chunks."""
    if media_type != NDJSON:
        return 0
    if hdrs.CONTENT_LENGTH not in headers or headers.get(hdrs.CONTENT_ENCODING):
        return limits.max_batch_bytes
    return int(headers[hdrs.CONTENT_LENGTH])
