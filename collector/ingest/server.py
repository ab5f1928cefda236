"""The ingest server's routes. Thin: what a report means is decided in `intake`, what it says in `answers`."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import orjson
import structlog
from aiohttp import web

from collector.addresses import client_address
from collector.ingest import openapi, tally
from collector.ingest.admission import Admission
from collector.ingest.answers import answer, batch_answer
from collector.ingest.intake import Intake
from collector.ingest.limits import NDJSON
from collector.ingest.protocol import outcome_of
from collector.ingest.readiness import Readiness
from collector.rate import RateLimiter
from schemas.data_dictionary import data_dictionary
from schemas.generate import permits
from schemas.outcomes import Outcome
from schemas.permits_text import permits_text
from schemas.reports import REPORTS, json_schema

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from collector.ingest.limits import Limits
    from collector.ingest.spool import Spool
    from schemas.policy import Policy
    from schemas.reports import Report

log = structlog.get_logger()
INTAKE = web.AppKey("intake", Intake)
DOCUMENTATION_URL = web.AppKey("documentation_url", str)
ADMISSION = web.AppKey("admission", Admission)
RATE = web.AppKey("rate", RateLimiter)
_CLIENT = re.compile(r"product-telemetry/([0-9]{1,6})(?![0-9])")
_ENCODINGS = {"", "identity", "gzip", "deflate"}
# What the policy permits may be kept by a cache, but not for long: a field that is withdrawn is to show as withdrawn.
_CACHED = {"Cache-Control": "public, max-age=60"}


def build(
    intake: Intake, spool: Spool, documents: Documents, *, behind_after_seconds: float, documentation_url: str
) -> web.Application:
    """The application that takes reports and says what may be in them."""
    limits = intake.limits
    app = web.Application(middlewares=[_one_shape], client_max_size=limits.max_batch_bytes)
    app[INTAKE] = intake
    app[DOCUMENTATION_URL] = documentation_url
    app[ADMISSION] = Admission(limits.max_in_flight, limits.max_in_flight_bytes)
    app[RATE] = RateLimiter(limits.rate_per_second, limits.rate_burst)
    app.router.add_post("/v1/reports/{name}/{version}", _take, expect_handler=_expect)
    app.router.add_get("/livez", _alive)

    readiness = Readiness(spool, behind_after_seconds)

    async def ready(_: web.Request) -> web.Response:
        state = await readiness.state()
        return web.json_response(state, status=200 if state["ready"] else 503)

    app.on_response_prepare.append(_name_no_versions)
    app.router.add_get("/readyz", ready)
    for path in documents.pages:
        app.router.add_get(path, _page(documents, path))
    return app


class Documents:
    """What the server says about itself; `tell` replaces it when the policy is read again."""

    def __init__(self, policy: Policy) -> None:
        self.pages: dict[str, tuple[bytes, str]] = {}
        self.tell(policy)

    def tell(self, policy: Policy) -> None:
        """Says what holds under `policy`."""
        pages = {"/v1/policy": permits(policy), "/openapi.json": openapi.document()}
        pages |= {f"/v1/schemas/{report.id}": json_schema(report) for report in REPORTS.values()}
        self.pages = {path: (orjson.dumps(content), "application/json") for path, content in pages.items()}
        self.pages["/v1/permits.txt"] = (permits_text(permits(policy)).encode("ascii"), "text/plain")
        self.pages["/v1/data"] = (data_dictionary(policy).encode(), "text/markdown")


def _page(documents: Documents, path: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        content, content_type = documents.pages[path]
        return web.Response(body=content, content_type=content_type, charset="utf-8", headers=_CACHED)

    return handler


async def _take(request: web.Request) -> web.Response:
    intake, documentation_url = request.app[INTAKE], request.app[DOCUMENTATION_URL]
    report = REPORTS.get(f"{request.match_info['name']}/{request.match_info['version']}")
    media_type = request.content_type.lower()
    address = client_address(
        request.remote, request.headers.getall("X-Forwarded-For", ()), intake.limits.trusted_proxies
    )
    dry_run = {"": False, "dry_run=0": False, "dry_run=1": True}.get(request.query_string)
    refusal = _refusal(request, report, media_type, dry_run)
    if refusal is None and not request.app[RATE].admits(address):
        refusal = Outcome.RATE_LIMITED
    if refusal is not None or report is None or dry_run is None:
        return _refuse(report, refusal or Outcome.INTERNAL, documentation_url)
    patience = asyncio.timeout(intake.limits.request_seconds)
    with request.app[ADMISSION].room_for(_batch_bytes(request, media_type, intake.limits), patience) as room:
        if room is None:
            return _refuse(report, Outcome.BUSY, documentation_url)
        try:
            async with patience:
                body = await _read(request, intake.limits.of(media_type))
                room.is_whole = True
        except TimeoutError:
            response = _refuse(report, Outcome.TOO_SLOW, documentation_url)
            response.force_close()
            return response
        # A batch is charged for all of its lines before any is looked at.
        if media_type == NDJSON and not request.app[RATE].admits(address, body.count(b"\n")):
            return _refuse(report, Outcome.RATE_LIMITED, documentation_url)
        results = await intake.take(report, media_type, body, dry_run=dry_run)
    if media_type == NDJSON:
        return batch_answer(results, documentation_url)
    return answer(*results[0], documentation_url)


def _refusal(request: web.Request, report: Report | None, media_type: str, dry_run: bool | None) -> Outcome | None:
    """Why a request is answered without its body being read, if it is."""
    limits = request.app[INTAKE].limits
    client = _CLIENT.match(request.headers.get("User-Agent", ""))
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


def _refuse(report: Report | None, outcome: Outcome, documentation_url: str) -> web.Response:
    tally.count_refused(report.id if report else "none", outcome)
    return answer(outcome, None, documentation_url)


async def _read(request: web.Request, limit: int) -> bytes:
    """The body, unpacked; little more than `limit` bytes of it are ever held."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(body))
    return bytes(body)


def _batch_bytes(request: web.Request, media_type: str, limits: Limits) -> int:
    """How many bytes a batch may turn out to have: what it declares, or the limit where it is packed or in chunks."""
    if media_type != NDJSON:
        return 0
    if request.content_length is None or request.headers.get("Content-Encoding"):
        return limits.max_batch_bytes
    return request.content_length


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
        tally.count_refused("none", outcome)
    return response
