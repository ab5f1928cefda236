"""The dashboard as a running server behind its real sign-in, in a thread of its own, on any engine's public tables.

To look at one while working on it: `python -m tests.reports.pages.running DATA [PORT]`, where DATA was made by
`collector simulate`; it prints a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from collector.configuration import Configuration, read_configuration
from collector.publish.released import Released
from collector.reports.access import tokens
from collector.reports.access.install import install
from collector.reports.access.ledger import open_ledger
from collector.reports.access.runner import Runner
from collector.reports.api import Api
from collector.reports.hiding import IsHidden, nothing_hidden
from collector.reports.library import Library
from collector.reports.pages.site import Pages
from collector.reports.pages.visitor import visitor
from collector.settings import Settings
from collector.store.engine import Engine, open_embedded
from schemas.catalogue import Catalogue
from schemas.data_dictionary import data_dictionary
from tests.publishers import rules_of


@dataclass(frozen=True)
class Running:
    """A running dashboard."""

    url: str
    token: str


def library_on(
    engine: Engine,
    configuration: Configuration,
    *,
    catalogue: Catalogue | None = None,
    is_hidden: IsHidden = nothing_hidden,
    simulated: bool = False,
) -> Library:
    """The library of an engine's public tables."""
    held = catalogue or configuration.catalogue
    return Library(Released(engine), rules_of(configuration), lambda: held, is_hidden, simulated)


def api_and_pages(library: Library, configuration: Configuration, now: Callable[[], dt.datetime]) -> tuple[Api, Pages]:
    """Both, keeping nothing yet."""
    api = Api(library, library.released.state)
    pages = Pages(
        api,
        library,
        library.released.state,
        lambda: data_dictionary(configuration.policy),
        visitor=visitor,
        clock=now,
    )
    return api, pages


def routes_on(library: Library, configuration: Configuration, now: Callable[[], dt.datetime]) -> list[web.RouteDef]:
    """API and pages."""
    api, pages = api_and_pages(library, configuration, now)
    return [*api.routes(), *pages.routes()]


@contextlib.contextmanager
def running(library: Library, configuration: Configuration, now: dt.datetime, port: int = 0) -> Iterator[Running]:
    """Serves until the end of the block."""
    with tempfile.TemporaryDirectory() as directory, open_ledger(Path(directory) / "access.sqlite") as ledger:
        token = tokens.create(ledger, "a.product.manager", "viewer", 30, int(time.time()), "tests")[1]
        started = threading.Event()
        ports: list[int] = []
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            app = web.Application()
            app.add_routes(routes_on(library, configuration, lambda: now))
            install(app, Settings(data=Path(directory)), ledger)
            runner = Runner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            ports.append(runner.addresses[0][1])
            started.set()
            await stop.wait()
            await runner.cleanup()

        def run() -> None:
            loop.run_until_complete(serve())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

        thread = threading.Thread(target=run, name="dashboard")
        thread.start()
        try:
            assert started.wait(30)
            yield Running(f"http://127.0.0.1:{ports[0]}", token)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(30)


def main() -> None:
    configuration = read_configuration(Settings(data=Path("unused")))
    engine = open_embedded(Path(sys.argv[1]) / "engine")
    library = library_on(engine, configuration, simulated=(Path(sys.argv[1]) / "simulated").exists())
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8095
    with running(library, configuration, dt.datetime.now(dt.UTC), port) as dashboard:
        sys.stdout.write(f"{dashboard.url} token {dashboard.token}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)
    engine.close()


if __name__ == "__main__":
    main()
