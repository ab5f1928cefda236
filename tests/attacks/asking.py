"""The reports API over real HTTP, on an engine of a test; and how many statements an answer costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from collector.configuration import Configuration
from collector.publish.released import Released
from collector.reports.api import Api
from collector.reports.library import Library
from collector.store.engine import Engine
from tests.publishers import rules_of

# Made from the request and the clock alone.
# A file is called by the question alone, see Question.file_name.
_OF_THE_REQUEST = {"date", "etag", "content-disposition"}


class CountingEngine:
    """An engine that notes every query before it is run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.queries: list[str] = []

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        self.queries.append(query)
        return self._engine.rows(query, **parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@dataclass(frozen=True)
class Answer:
    """What came back, without what depends on the request and the clock alone."""

    status: int
    body: bytes
    headers: dict[str, str]
    queries: list[str] = field(compare=False)

    def about(self, name: str) -> Answer:
        """The same answer with the name that was asked for replaced: it comes back to who sent it."""
        return Answer(self.status, self.body.replace(name.encode(), b"?"), self.headers, self.queries)


@dataclass(frozen=True)
class Reports:
    """A running reports API."""

    client: TestClient
    engine: CountingEngine

    async def ask(self, path: str = "/v1/usage", **parameters: str) -> Answer:
        """Asks; `from_` stands for the parameter `from`."""
        before = len(self.engine.queries)
        asked = {name.rstrip("_"): value for name, value in parameters.items()}
        async with self.client.get(path, params=asked) as response:
            headers = {
                name: "" if name.lower() in _OF_THE_REQUEST else value for name, value in response.headers.items()
            }
            return Answer(response.status, await response.read(), headers, self.engine.queries[before:])

    async def asked(self, questions: Mapping[str, Mapping[str, str]]) -> dict[str, Answer]:
        return {name: await self.ask(**question) for name, question in questions.items()}


@asynccontextmanager
async def reports_of(engine: Engine, configuration: Configuration) -> AsyncIterator[Reports]:
    """The reports API on what was published in `engine`; each answer is made anew."""
    counting = CountingEngine(engine)
    released = Released(counting)
    library = Library(released, rules_of(configuration), catalogue=lambda: configuration.catalogue)
    app = web.Application()
    app.add_routes(Api(library, released.state).routes())
    # Unpacked: a packed answer would be longer or shorter by the name that was asked for.
    async with TestClient(TestServer(app), headers={"Accept-Encoding": "identity"}) as client:
        yield Reports(client, counting)
