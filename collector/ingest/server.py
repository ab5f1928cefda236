"""The ingest server's routes, and what it says about itself.

Reports come here that ask in an unusual way: a dry run, a body that takes its time, an unknown version. Most are taken
by `protocol` as they come, without any routing; what is done with both is in `reception`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import structlog
from aiohttp import web

from collector.ingest import openapi, tally
from collector.ingest.answers import SERVER, Response, answer
from collector.ingest.protocol import outcome_of
from collector.ingest.readiness import Readiness
from collector.ingest.reception import Reception
from schemas.data_dictionary import data_dictionary
from schemas.generate import permits
from schemas.outcomes import Outcome
from schemas.permits_text import permits_text
from schemas.reports import REPORTS, json_schema

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from collector.ingest.spool import Spool
    from schemas.policy import Policy

log = structlog.get_logger()
RECEPTION = web.AppKey("reception", Reception)
# What the policy permits may be kept by a cache, but not for long: a field that is withdrawn is to show as withdrawn.
_CACHED = {"Cache-Control": "public, max-age=60"}


def build(reception: Reception, spool: Spool, documents: Documents, *, behind_after_seconds: float) -> web.Application:
    """The application."""
    app = web.Application(middlewares=[_in_one_shape])
    app[RECEPTION] = reception
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


async def _take(request: web.Request) -> web.StreamResponse:
    report = REPORTS.get(f"{request.match_info['name']}/{request.match_info['version']}")
    dry_run = {"": False, "dry_run=0": False, "dry_run=1": True}.get(request.query_string)
    reception = request.app[RECEPTION]
    return Response(await reception.take(report, request.headers, request.remote, request.content, dry_run=dry_run))


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """Asks for the body of a client that waits to be asked."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # an interim answer is not yet the answer
        return None
    return Response(answer(Outcome.MALFORMED, None, request.app[RECEPTION].documentation_url))


@web.middleware
async def _in_one_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure has the shape of an answer, and no failure's text reaches the log."""
    allow: dict[str, str] = {}
    try:
        return await handler(request)
    except web.HTTPException as error:
        outcome = outcome_of(error.status)
        if "Allow" in error.headers:
            allow["Allow"] = error.headers["Allow"]
    except ConnectionError:
        raise  # the client went away in the middle of its body
    except Exception as error:  # noqa: BLE001 - a bug in one request must not take others with it
        log.error("request_failed", error=type(error).__name__)
        outcome = Outcome.INTERNAL
    if request.method == "POST":
        tally.count_refused("none", outcome)
    return Response(answer(outcome, None, request.app[RECEPTION].documentation_url, headers=allow))


async def _name_no_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


async def _alive(_: web.Request) -> web.Response:
    return web.json_response({"alive": True})
