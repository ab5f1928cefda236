"""Answers that nobody reads cost a connection for a while, never for ever, and do not hold up a stop."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import uuid
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvloop

from collector.configuration import Configuration
from collector.ingest import protocol, server
from collector.ingest.intake import Intake
from collector.ingest.reception import Reception
from collector.ingest.spool import SegmentWriter, Spool
from collector.ingest.validation import Validator
from collector.ingest.values import ValueBudget
from collector.listening import bind
from collector.settings import Settings
from collector.worker import limits
from tests.conftest import running
from tests.sample_days import DAY

SMALLEST_BUFFER = 4096
BATCHES = 10


def reluctant(host: str, port: int) -> socket.socket:
    """A client that hardly takes anything it has not asked for."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALLEST_BUFFER)
    client.settimeout(10)
    client.connect((host, port))
    return client


def head(kind: str, length: int) -> bytes:
    lines = ["POST /v1/reports/image-boot/1 HTTP/1.1", "Host: a", f"Content-Type: application/{kind}"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


async def ask_until_the_rest_stays(runner: protocol.Runner, port: int, client: socket.socket) -> None:
    """Asks for one page after the other until a part of an answer, less than one page, no longer leaves the process."""
    loop = asyncio.get_running_loop()
    assert runner.server is not None
    deadline = time.monotonic() + 20
    while True:
        await loop.sock_sendall(client, b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.01)
        (handler,) = runner.server.connections
        assert handler.transport is not None
        if handler.transport.get_write_buffer_size():
            return
        assert time.monotonic() < deadline, port


async def all_connections_end(runner: protocol.Runner) -> bool:
    assert runner.server is not None
    deadline = time.monotonic() + 10
    while runner.server.connections and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return not runner.server.connections


def test_connection_whose_last_answer_is_not_read_is_dropped(
    tmp_path: Path, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_ANSWER_SECONDS", 0.5)
    spool = Spool(SegmentWriter(tmp_path / "spool" / "w0", seal_after_bytes=2000, reserve_percent=0))
    validator = Validator(configuration.policy, configuration.catalogue, lambda *_: "", lambda: str(uuid.uuid4()))
    bounds = replace(limits(Settings(data=tmp_path)), idle_seconds=0.5, request_seconds=0.5)
    intake = Intake(validator, spool, ValueBudget(100), bounds, lambda: DAY)
    documents = server.Documents(configuration.policy)
    reception = Reception(intake, "/v1/data")
    app = server.build(reception, spool, documents, behind_after_seconds=60)

    async def serve() -> bool:
        runner = protocol.Runner(app, reception, 1)
        await runner.setup()
        listening = bind("127.0.0.1", 0)
        await protocol.Site(runner, listening, None).start()
        port = listening.getsockname()[1]
        with reluctant("127.0.0.1", port) as client:
            client.setblocking(False)
            await ask_until_the_rest_stays(runner, port, client)
            is_dropped = await all_connections_end(runner)
        await runner.cleanup()
        await spool.close()
        return is_dropped

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(serve())


def test_stop_waits_for_no_client_that_dawdles(tmp_path: Path) -> None:
    lines = b"{}\n" * 10_000
    with running(tmp_path / "data") as server:
        address = urlsplit(server.ingest)
        assert address.hostname
        assert address.port
        idle, slow, unread = (reluctant(address.hostname, address.port) for _ in range(3))
        with idle, slow, unread:
            slow.sendall(head("json", 100) + b"{")
            for _ in range(BATCHES):
                unread.sendall(head("x-ndjson", len(lines)) + lines)
            taken = -1.0
            while (now := server.metric("telemetry_received_total")) != taken:
                taken = now
                time.sleep(1)
            assert 0 < taken < BATCHES * 10_000, "there is room for all the answers: none is unread"
            assert server.stop() == 0
    events = [json.loads(line)["event"] for line in server.log.read_text().splitlines()]
    assert "process_killed" not in events
    assert "library" not in events
