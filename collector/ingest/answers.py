"""What the ingest server answers: one JSON shape, an outcome code, never a value.

{"outcome": "unknown_field", "field": "hostname", "documentation": "/v1/data#unknown_field"}
"""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from aiohttp import hdrs, web
from aiohttp.helpers import rfc822_formatted_time

from collector.ingest.limits import NDJSON
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

_GOOD = {Outcome.ACCEPTED, Outcome.VALID}
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


class Answer(web.StreamResponse):
    """A short answer, written in one piece.

    Every report gets one, and what the framework does for pages of any kind costs more than reading the report.

    Args:
        status: the HTTP status.
        content_type: of the content.
        content: the body.
        headers: beside the usual ones.
    """

    def __init__(self, status: int, content_type: str, content: bytes, headers: dict[str, str] | None = None) -> None:
        super().__init__(status=status, headers={hdrs.CONTENT_TYPE: content_type, **(headers or {})})
        self.content = content

    async def prepare(self, request: BaseRequest) -> None:
        """Writes the answer, and returns when the kernel has it."""
        if self._eof_sent:
            return
        self._eof_sent = True
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        version = request.version
        lines = [
            f"HTTP/{version.major}.{version.minor} {self.status} {_REASONS[self.status]}",
            f"Content-Length: {len(self.content)}",
            f"Date: {rfc822_formatted_time()}",
            f"Server: {SERVER}",
        ]
        if not self._keep_alive or version.minor == 0:
            lines.append(f"Connection: {'keep-alive' if self._keep_alive else 'close'}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
        await request.writer.write(head if request.method == hdrs.METH_HEAD else head + self.content)
        await request.writer.drain()

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: it is written."""


SERVER = "product-telemetry"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


def describe(outcome: Outcome, field: str | None, documentation_url: str) -> dict[str, str]:
    """The answer's content for one report."""
    answer = {"outcome": outcome.value}
    if outcome in _GOOD:
        return answer
    if field is not None:
        answer["field"] = field
    answer["meaning"] = outcome.meaning
    answer["documentation"] = f"{documentation_url}#{outcome.value}"
    return answer


def answer(outcome: Outcome, field: str | None, documentation_url: str) -> Answer:
    """The answer to a request that brought one report, or none."""
    return Answer(outcome.status, "application/json", _line(outcome, field, documentation_url), _headers(outcome))


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


def _headers(outcome: Outcome) -> dict[str, str] | None:
    """Retry-After between once and twice the outcome's time: those who were sent away together must not return so."""
    seconds = RETRY_AFTER_SECONDS.get(outcome)
    return {"Retry-After": str(random.randint(seconds, 2 * seconds))} if seconds else None  # noqa: S311 - no secret
