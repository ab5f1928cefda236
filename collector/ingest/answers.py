"""What the ingest server answers: one JSON shape, an outcome code, never a value.

{"outcome": "unknown_field", "field": "hostname", "documentation": "/v1/data#unknown_field"}
"""

from __future__ import annotations

import random
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time

from collector.ingest.limits import NDJSON
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.web_request import BaseRequest

SERVER = "product-telemetry"
_REASONS = {status.value: status.phrase for status in HTTPStatus}
GOOD = {Outcome.ACCEPTED, Outcome.VALID}
# Outcomes after which the client comes again, and how long it stays away at the least, in seconds: a full disk
# takes an operator, a crowd is over sooner.
RETRY_AFTER_SECONDS = {
    Outcome.INTERNAL: 300,
    Outcome.UNAVAILABLE: 300,
    Outcome.SPOOL_FULL: 600,
    Outcome.BUSY: 60,
    Outcome.RATE_LIMITED: 120,
    Outcome.TOO_SLOW: 120,
}


class Answer:
    """A short answer.

    Args:
        status: the HTTP status.
        content_type: of the content.
        content: the body.
        headers: beside the usual ones.
        closes: whether the connection ends with it.
    """

    __slots__ = ("_lines", "closes", "content", "status")

    def __init__(
        self,
        status: int,
        content_type: str,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        closes: bool = False,
    ) -> None:
        self.status = status
        self.content = content
        self.closes = closes
        usual = {"Content-Type": content_type, "Content-Length": str(len(content)), "Server": SERVER}
        lines = [f"{status} {_REASONS[status]}"]
        lines += [f"{name}: {value}" for name, value in (usual | dict(headers or {})).items()]
        self._lines = "\r\n".join(lines).encode("ascii")

    def wire(self, minor: int, *, keeps: bool, is_head: bool = False) -> bytes:
        """As it is sent.

        Args:
            minor: the second number of the client's HTTP version.
            keeps: whether the connection stays.
            is_head: whether the body was not asked for.
        """
        minor = min(minor, 1)
        connection = b"" if keeps and minor else b"Connection: keep-alive\r\n" if keeps else b"Connection: close\r\n"
        head = b"HTTP/1.%d %b\r\nDate: %b\r\n%b\r\n" % (
            minor,
            self._lines,
            rfc822_formatted_time().encode("ascii"),
            connection,
        )
        return head if is_head else head + self.content


class Response(web.StreamResponse):
    """An answer, where the framework wants a response; it is written in one piece."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(status=answer.status)
        self._answer = answer
        if answer.closes:
            self.force_close()

    async def prepare(self, request: BaseRequest) -> None:
        """Writes the answer, and returns when the kernel has it."""
        if self._eof_sent:
            return
        self._eof_sent = True
        if request._message.chunked or request._message.upgrade:  # noqa: SLF001 - what follows cannot be told
            self.force_close()
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        is_head = request.method == hdrs.METH_HEAD
        await request.writer.write(self._answer.wire(request.version.minor, keeps=self._keep_alive, is_head=is_head))
        await request.writer.drain()

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: it is written."""


def describe(outcome: Outcome, field: str | None, documentation_url: str) -> dict[str, str]:
    """The answer's content for one report."""
    answer = {"outcome": outcome.value}
    if outcome in GOOD:
        return answer
    if field is not None:
        answer["field"] = field
    answer["meaning"] = outcome.meaning
    answer["documentation"] = f"{documentation_url}#{outcome.value}"
    return answer


def answer(
    outcome: Outcome,
    field: str | None,
    documentation_url: str,
    *,
    headers: Mapping[str, str] | None = None,
    closes: bool = False,
) -> Answer:
    """The answer to a request that brought one report, or none."""
    content = _line(outcome, field, documentation_url)
    return Answer(outcome.status, "application/json", content, {**(headers or {}), **_headers(outcome)}, closes=closes)


@lru_cache(maxsize=4)
def good_answer(outcome: Outcome, documentation_url: str) -> Answer:
    """The answer to a report that is accepted, or valid: always the same."""
    return answer(outcome, None, documentation_url)


def batch_answer(outcomes: list[tuple[Outcome, str | None]], documentation_url: str) -> Answer:
    """The answer to NDJSON: one line for each line, in order.

    202 if any line is on disk: the rejected ones need no second try. A try-again status if the
    batch could not be written. Otherwise the status of the first line.
    """
    lines = {result: _line(*result, documentation_url) for result in set(outcomes)}
    kinds = {outcome for outcome, _ in lines}
    best = next((o for o in (Outcome.ACCEPTED, Outcome.VALID, *RETRY_AFTER_SECONDS) if o in kinds), outcomes[0][0])
    return Answer(best.status, NDJSON, b"".join(map(lines.__getitem__, outcomes)), _headers(best))


def _line(outcome: Outcome, field: str | None, documentation_url: str) -> bytes:
    return orjson.dumps(describe(outcome, field, documentation_url), option=orjson.OPT_APPEND_NEWLINE)


def _headers(outcome: Outcome) -> dict[str, str]:
    """Retry-After between once and twice the outcome's time: those who were sent away together must not return so."""
    seconds = RETRY_AFTER_SECONDS.get(outcome)
    return {"Retry-After": str(random.randint(seconds, 2 * seconds))} if seconds else {}  # noqa: S311 - no secret
