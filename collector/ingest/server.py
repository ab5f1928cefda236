"""The ingest server's routes. Thin: what a report means is decided in `intake`, what it says in `answers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import structlog
from aiohttp import web

from collector.ingest import openapi
from collector.ingest.answers import answer, batch_answer
from collector.ingest.intake import NDJSON, Intake
from collector.ingest.protocol import outcome_of
from collector.metrics import REPORTS as REPORTS_METRIC
from schemas.data_dictionary import data_dictionary
from schemas.generate import permits
from schemas.outcomes import Outcome
from schemas.reports import REPORTS, json_schema

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from collector.ingest.spool import Spool
    from schemas.policy import Policy

log = structlog.get_logger()
INTAKE = web.AppKey("intake", Intake)
DOCUMENTATION_URL = web.AppKey("documentation_url", str)
_ENCODINGS = {"", "identity", "gzip", "deflate"}


def build(intake: Intake, spool: Spool, policy: Policy, documentation_url: str) -> web.Application:
    """The application that takes reports and says what may be in them."""
    app = web.Application(middlewares=[_one_shape], client_max_size=intake.limits.max_batch_bytes)
    app[INTAKE] = intake
    app[DOCUMENTATION_URL] = documentation_url
    app.router.add_post("/v1/reports/{name}/{version}", _take, expect_handler=_expect)
    app.router.add_get("/livez", _alive)

    async def ready(_: web.Request) -> web.Response:
        outcome = Outcome.SPOOL_FULL if await spool.is_full() else spool.last_outcome
        state = {
            "ready": outcome is Outcome.ACCEPTED,
            "spool": "ok" if outcome is Outcome.ACCEPTED else outcome.value,
        }
        return web.json_response(state, status=200 if state["ready"] else 503)

    app.on_response_prepare.append(_name_no_versions)
    app.router.add_get("/readyz", ready)
    documents = {"/v1/policy": permits(policy), "/openapi.json": openapi.document()}
    documents |= {f"/v1/schemas/{report.id}": json_schema(report) for report in REPORTS.values()}
    for path, content in documents.items():
        app.router.add_get(path, _document(orjson.dumps(content), "application/json"))
    app.router.add_get("/v1/data", _document(data_dictionary(policy).encode(), "text/markdown"))
    return app


async def _take(request: web.Request) -> web.Response:
    intake, documentation_url = request.app[INTAKE], request.app[DOCUMENTATION_URL]
    report = REPORTS.get(f"{request.match_info['name']}/{request.match_info['version']}")
    if report is None:
        REPORTS_METRIC.labels("none", Outcome.UNKNOWN_SCHEMA.value).inc()
        return answer(Outcome.UNKNOWN_SCHEMA, None, documentation_url)
    media_type = request.content_type.lower()
    if (request.content_length or 0) > intake.limits.of(media_type):
        REPORTS_METRIC.labels(report.id, Outcome.TOO_LARGE.value).inc()
        return answer(Outcome.TOO_LARGE, None, documentation_url)
    if request.headers.get("Content-Encoding", "").lower() not in _ENCODINGS:
        REPORTS_METRIC.labels(report.id, Outcome.UNSUPPORTED_MEDIA_TYPE.value).inc()
        return answer(Outcome.UNSUPPORTED_MEDIA_TYPE, None, documentation_url)
    dry_run = {"": False, "dry_run=0": False, "dry_run=1": True}.get(request.query_string)
    if dry_run is None:
        # A misspelt dry run that was stored would count image builds.
        REPORTS_METRIC.labels(report.id, Outcome.UNKNOWN_PARAMETER.value).inc()
        return answer(Outcome.UNKNOWN_PARAMETER, None, documentation_url)
    body = await request.read()
    results = await intake.take(report, media_type, body, dry_run=dry_run)
    if media_type == NDJSON:
        return batch_answer(results, documentation_url)
    return answer(*results[0], documentation_url)


async def _expect(request: web.Request) -> web.StreamResponse | None:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # an interim answer is not yet the answer
        return None
    return answer(Outcome.MALFORMED, None, request.app[DOCUMENTATION_URL])


async def _name_no_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "product-telemetry"


async def _alive(_: web.Request) -> web.Response:
    return web.json_response({"alive": True})


def _document(content: bytes, content_type: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=content_type, charset="utf-8")

    return handler


@web.middleware
async def _one_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure has the shape of an answer, and no failure's text reaches the log."""
    documentation_url = request.app[DOCUMENTATION_URL]
    try:
        return await handler(request)
    except web.HTTPException as error:
        outcome = outcome_of(error.status)
        response = answer(outcome, None, documentation_url)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
    except web.RequestPayloadError:
        # A body that is not what its Content-Encoding or chunks say.
        outcome = Outcome.MALFORMED
        response = answer(outcome, None, documentation_url)
    except ConnectionError:
        raise  # the client went away in the middle of its body
    except Exception as error:  # noqa: BLE001 - a bug in one request must not take others with it
        log.error("request_failed", error=type(error).__name__)
        outcome = Outcome.INTERNAL
        response = answer(outcome, None, documentation_url)
    if request.method == "POST":
        REPORTS_METRIC.labels("none", outcome.value).inc()
    return response
