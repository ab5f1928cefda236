"""Puts the gate, sign-in and the audit trail in front of an application."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from collector.reports.access import rendering
from collector.reports.access.attempts import Attempts
from collector.reports.access.forms import SITE
from collector.reports.access.gate import Gate
from collector.reports.access.headers import secure
from collector.reports.access.sign_in import SignIn
from collector.reports.access.site import Site
from collector.reports.access.trail import Trail, look_after

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web

    from collector.reports.access.ledger import Ledger
    from collector.reports.access.rendering import Render
    from collector.settings import Settings


def install(
    app: web.Application,
    settings: Settings,
    ledger: Ledger,
    *,
    render: Render = rendering.render,
    clock: Callable[[], float] = time.time,
) -> None:
    """Demands sign-in for everything that `app` answers, now or with routes that are added later.

    Args:
        app: before it runs; what it has of middlewares then runs inside the gate.
        settings: the dashboard's own address, and the proxies that are believed.
        ledger: stays open for as long as the application runs; what was noted is in it after `cleanup`.
        render: makes the pages sign_in.html and refused.html.
        clock: UTC seconds.
    """
    rendering.prepare()
    site, trail, attempts = Site(settings.reports_url), Trail(ledger), Attempts()
    gate = Gate(settings, site, ledger, trail, attempts, render, clock)
    pages = SignIn(site, ledger, trail, attempts, settings.trusted_proxies, render, clock)

    async def looked_after(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(look_after(ledger, trail, clock))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    app[SITE] = site
    app.middlewares.insert(0, gate.guard)
    app.on_response_prepare.append(secure)
    app.cleanup_ctx.append(looked_after)
    app.add_routes(pages.routes())
