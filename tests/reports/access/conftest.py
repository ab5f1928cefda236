"""A real server on a port of its own behind the gate, asked over real sockets, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import web

from collector.reports.access import tokens
from collector.reports.access.forms import form_token
from collector.reports.access.identity import identity
from collector.reports.access.install import install
from collector.reports.access.ledger import Ledger, open_ledger
from collector.reports.access.runner import Runner
from collector.settings import Settings

COUNTS, PAGE, FOR_ADMINS, STYLE = "the-counts", "the-page", "for-admins", "the-style"
Headers = dict[str, str | list[str]]


@dataclass
class Clock:
    """UTC seconds that a test sets."""

    seconds: float = 1_790_000_000  # in September 2026

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: str

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def cookie(self) -> str:
        """NAME=VALUE of the cookie it sets."""
        ((name, morsel),) = SimpleCookie(self["Set-Cookie"]).items()
        return f"{name}={morsel.value}"


@dataclass
class Dashboard:
    """A running server."""

    port: int
    ledger: Ledger
    clock: Clock
    seen: list[web.Request] = field(default_factory=list)

    async def ask(self, path: str, method: str = "GET", body: str = "", source: str = "127.0.0.1", **headers) -> Answer:
        """One request, exactly as given; underscores in names of headers are hyphens, None leaves one out."""
        named: Headers = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        if body or method == "POST":
            named.setdefault("Content-Type", "application/x-www-form-urlencoded")
            named.setdefault("Content-Length", str(len(body.encode())))
        lines = [f"{method} {path} HTTP/1.1"]
        for name, values in named.items():
            lines += [f"{name}: {value}" for value in ([values] if isinstance(values, str) else values or [])]
        return await self.exchange("\r\n".join([*lines, "", body]).encode(), source)

    async def exchange(self, request: bytes, source: str = "127.0.0.1") -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        writer.write(request)
        received = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
        head, _, text = received.decode().partition("\r\n\r\n")
        status, *lines = head.split("\r\n")
        return Answer(
            int(status.split()[1]), [(name, value) for name, _, value in (x.partition(": ") for x in lines)], text
        )

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, name: str = "alice", role: str = "viewer", days: int = 365) -> str:
        return tokens.create(self.ledger, name, role, days, int(self.clock()), "tests")[1]

    async def with_token(self, token: str, path: str, **more) -> Answer:
        return await self.ask(path, Authorization=f"Bearer {token}", **more)

    async def post(self, path: str, form: dict[str, str], **headers) -> Answer:
        return await self.ask(path, "POST", urlencode(form), **({"Origin": self.origin} | headers))

    async def sign_in(self, token: str, **headers) -> str:
        """NAME=VALUE of the session's cookie."""
        answer = await self.post("/sign-in", {"token": token}, **headers)
        assert answer.status == 303, answer.body
        return answer.cookie


Open = Callable[..., AbstractAsyncContextManager[Dashboard]]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "access.sqlite") as ledger:
        yield ledger


@pytest.fixture
def open_dashboard(ledger: Ledger, tmp_path: Path) -> Open:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").write_text(STYLE)

    @contextlib.asynccontextmanager
    async def opened(**settings) -> AsyncIterator[Dashboard]:
        app = web.Application()
        dashboard = Dashboard(0, ledger, Clock())
        app.add_routes(routes(dashboard))
        app.router.add_static("/static", tmp_path / "static")
        install(app, Settings(data=tmp_path, **settings), ledger, clock=dashboard.clock)
        runner = Runner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        dashboard.port = runner.addresses[0][1]
        try:
            yield dashboard
        finally:
            await runner.cleanup()

    return opened


@pytest.fixture
async def dashboard(open_dashboard: Open) -> AsyncIterator[Dashboard]:
    async with open_dashboard() as dashboard:
        yield dashboard


def routes(dashboard: Dashboard) -> list[web.RouteDef]:
    def says(text: str):
        async def handler(request: web.Request) -> web.Response:
            dashboard.seen.append(request)
            who = identity(request)
            known = f"{who.name} {who.role} {who.how}" if who else "nobody"
            return web.Response(text=f"{text} {known} form_token={form_token(request)}.")

        return handler

    async def breaks(_: web.Request) -> web.Response:
        raise RuntimeError("canary-of-a-mistake")

    return [
        web.get("/", says(PAGE)),
        web.post("/", says(PAGE)),
        web.get("/livez", says("alive")),
        web.get("/v1/usage", says(COUNTS)),
        web.get("/v1/broken", breaks),
        # Named like public places, and none.
        web.get("/livezz", says(PAGE)),
        web.get("/statics", says(PAGE)),
        web.get("/sign-in-history", says(PAGE)),
        web.get("/{name}/livez", says(PAGE)),
        web.get("/admin", says(FOR_ADMINS)),
        web.get("/admin/audit", says(FOR_ADMINS)),
        web.get("/v1/admin/audit", says(FOR_ADMINS)),
    ]
