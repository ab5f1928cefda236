"""The ingest server's routes, and what it says about itself; reports are taken by `reception`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from collector.ingest import openapi
from collector.ingest.answers import SERVER
from collector.ingest.readiness import Readiness
from schemas.data_dictionary import data_dictionary
from schemas.generate import permits
from schemas.permits_text import permits_text
from schemas.reports import REPORTS, json_schema

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from collector.ingest.reception import Reception
    from collector.ingest.spool import Spool
    from schemas.policy import Policy

# What the policy permits may be kept by a cache, but not for long: a field that is withdrawn is to show as withdrawn.
_CACHED = {"Cache-Control": "public, max-age=60"}


def build(reception: Reception, spool: Spool, documents: Documents, *, behind_after_seconds: float) -> web.Application:
    """The application that says what may be in reports, and takes those that ask in an unusual way."""
    app = web.Application(middlewares=[reception.in_one_shape], client_max_size=reception.intake.limits.max_batch_bytes)
    app.router.add_post("/v1/reports/{name}/{version}", reception.take_routed, expect_handler=reception.expect)
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


async def _name_no_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


async def _alive(_: web.Request) -> web.Response:
    return web.json_response({"alive": True})
