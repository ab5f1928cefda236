"""What the ingest server answers: one JSON shape, an outcome code, never a value.

{"outcome": "unknown_field", "field": "hostname", "documentation": "/v1/data#unknown_field"}
"""

from __future__ import annotations

import random

import orjson
from aiohttp import web

from schemas.outcomes import Outcome

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


def answer(outcome: Outcome, field: str | None, documentation_url: str) -> web.Response:
    """The answer to a request that brought one report, or none."""
    return web.Response(
        body=orjson.dumps(describe(outcome, field, documentation_url), option=orjson.OPT_APPEND_NEWLINE),
        status=outcome.status,
        content_type="application/json",
        headers=_headers(outcome),
    )


def batch_answer(outcomes: list[tuple[Outcome, str | None]], documentation_url: str) -> web.Response:
    """The answer to NDJSON: one line for each line, in order.

    202 if any line is on disk: the rejected ones need no second try. A try-again status if the
    batch could not be written. Otherwise the status of the first line.
    """
    kinds = {outcome for outcome, _ in outcomes}
    best = next((o for o in (Outcome.ACCEPTED, Outcome.VALID, *RETRY_AFTER_SECONDS) if o in kinds), outcomes[0][0])
    lines = [
        orjson.dumps(describe(o, field, documentation_url), option=orjson.OPT_APPEND_NEWLINE) for o, field in outcomes
    ]
    return web.Response(
        body=b"".join(lines), status=best.status, content_type="application/x-ndjson", headers=_headers(best)
    )


def _headers(outcome: Outcome) -> dict[str, str] | None:
    """Retry-After between once and twice the outcome's time: those who were sent away together must not return so."""
    seconds = RETRY_AFTER_SECONDS.get(outcome)
    return {"Retry-After": str(random.randint(seconds, 2 * seconds))} if seconds else None  # noqa: S311 - no secret
