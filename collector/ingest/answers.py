"""What the ingest server answers: one JSON shape, an outcome code, never a value.

{"outcome": "unknown_field", "field": "hostname", "documentation": "/v1/data#unknown_field"}
"""

from __future__ import annotations

import orjson
from aiohttp import web

from schemas.outcomes import Outcome

_GOOD = {Outcome.ACCEPTED, Outcome.VALID}
_TRY_AGAIN = (Outcome.INTERNAL, Outcome.UNAVAILABLE, Outcome.SPOOL_FULL)
RETRY_AFTER_SECONDS = 300


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
    best = next((o for o in (Outcome.ACCEPTED, Outcome.VALID, *_TRY_AGAIN) if o in kinds), outcomes[0][0])
    lines = [
        orjson.dumps(describe(o, field, documentation_url), option=orjson.OPT_APPEND_NEWLINE) for o, field in outcomes
    ]
    return web.Response(
        body=b"".join(lines), status=best.status, content_type="application/x-ndjson", headers=_headers(best)
    )


def _headers(outcome: Outcome) -> dict[str, str] | None:
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if outcome in _TRY_AGAIN else None
