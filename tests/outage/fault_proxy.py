"""A TCP proxy before a ClickHouse server that fails in every way a network does.

It runs in a thread of its own. A change of fault ends the connections that are open, so that the next
bytes meet it, whether or not the client keeps connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from tests.clickhouse_server import free_port

INSERT = re.compile(rb"INSERT.INTO.{1,3}private.{1,3}reports")
_CHUNK = 1 << 14
_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops"


class Fault(Enum):
    """What the proxy does."""

    NONE = auto()
    REFUSE = auto()  # nobody listens
    STALL = auto()  # takes the connection and everything that is sent, and says nothing
    RESET = auto()  # takes the connection and resets it
    ERROR = auto()  # answers 500 itself
    CUT_INSERT = auto()  # ends both sides in the middle of an insert's body
    HALF_CLOSE_INSERT = auto()  # lets the server see the end of half a body, and hands on what it says
    LOSE_ANSWER = auto()  # hands an insert on; when the server answers, resets the client
    CUT_ANSWER = auto()  # of the answer to an insert hands on that it is good, not how much was written
    SLOW = auto()  # hands on little by little


@dataclass
class FaultProxy:
    """Listens on a port of its own and hands on to `upstream_port`.

    Args:
        upstream_port: of the server.
        tls: speaks TLS to the client with this.

    Attributes:
        felt: how often the present fault was met.
    """

    upstream_port: int
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.port = free_port()
        self.felt = 0
        self._fault = Fault.NONE
        self._server: asyncio.Server | None = None
        self._handling: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen())

    def set(self, fault: Fault) -> None:
        self._do(self._set(fault))

    def close(self) -> None:
        self._do(self._set(Fault.REFUSE))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)

    async def _set(self, fault: Fault) -> None:
        self._fault, self.felt = fault, 0
        if fault is Fault.REFUSE and self._server is not None:
            self._server.close()
            self._server = None
        handling = list(self._handling)
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)
        if fault is not Fault.REFUSE and self._server is None:
            await self._listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handling.add(task)
        try:
            await self._handle(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._handling.discard(task)
            _reset(writer)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault is Fault.RESET:
            self.felt += 1
        elif self._fault is Fault.STALL:
            self.felt += 1
            while await reader.read(_CHUNK):
                pass
        elif self._fault is Fault.ERROR:
            await reader.readuntil(b"\r\n\r\n")
            self.felt += 1
            writer.write(_ERROR)
            await writer.drain()
            writer.write_eof()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    while await reader.read(_CHUNK):
                        pass
        else:
            await self._hand_on(reader, writer)

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        inserting = asyncio.Event()
        sides = [
            asyncio.create_task(self._requests(reader, up_writer, inserting)),
            asyncio.create_task(self._answers(up_reader, writer, inserting)),
        ]
        try:
            done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            if self._fault is Fault.HALF_CLOSE_INSERT and sides[0] in done:
                await asyncio.wait(sides, timeout=2)
        finally:
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)
            up_writer.close()  # in order: a reset in the middle of an insert makes the tests' server abort

    async def _requests(self, reader: asyncio.StreamReader, up: asyncio.StreamWriter, inserting: asyncio.Event) -> None:
        while chunk := await reader.read(_CHUNK):
            if INSERT.search(chunk):
                inserting.set()
            if inserting.is_set() and self._fault in {Fault.CUT_INSERT, Fault.HALF_CLOSE_INSERT}:
                self.felt += 1
                up.write(chunk[: chunk.find(b"\r\n\r\n") + 40])
                await up.drain()
                if self._fault is Fault.HALF_CLOSE_INSERT:
                    up.write_eof()
                return
            if self._fault is Fault.SLOW:
                self.felt += 1
                await asyncio.sleep(0.3)
            up.write(chunk)
            await up.drain()

    async def _answers(self, up: asyncio.StreamReader, writer: asyncio.StreamWriter, inserting: asyncio.Event) -> None:
        while chunk := await up.read(_CHUNK):
            if inserting.is_set() and self._fault is Fault.LOSE_ANSWER:
                self.felt += 1
                return
            if inserting.is_set() and self._fault is Fault.CUT_ANSWER:
                self.felt += 1
                rest = b"" if b"\r\n\r\n" in chunk else await up.readuntil(b"\r\n\r\n")
                lines = (chunk + rest).splitlines(keepends=True)
                writer.write(lines[0] + b"".join(line for line in lines if line.startswith(b"Date")))
                await writer.drain()
                writer.write_eof()
                await asyncio.sleep(0.5)
                return
            if self._fault is Fault.SLOW:
                await asyncio.sleep(0.3)
            writer.write(chunk)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with a reset, not in order."""
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
