"""What strangers do to a port that is open to the world. Each attacker goes on until it is told to stop.

An attacker never minds what the server does to it. Every one of them puts a canary into what it sends, so that
logs, metrics and files can be searched for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import random
import uuid
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

CANARY = "canary-f00d"
CANARY_ADDRESS = "198.51.100.222"
PATH = "/v1/reports/image-boot/1"
GOOD = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0"}
_BOMB = gzip.compress(bytes(100 << 20))
_DEFLATED_BOMB = zlib.compress(bytes(100 << 20))


@dataclass(frozen=True)
class Target:
    """Where to, and when to stop."""

    host: str
    port: int
    stop: asyncio.Event
    dice: random.Random


Attack = Callable[[Target], Awaitable[None]]


def head(length: int | str, **headers: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: a", f"X-Forwarded-For: {CANARY_ADDRESS}", f"User-Agent: {CANARY}"]
    named = {"Content-Type": "application/json", "Content-Length": str(length)} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return "\r\n".join([*lines, *(f"{n}: {v}" for n, v in named.items() if v), "", ""]).encode()


def report(**fields: object) -> bytes:
    return json.dumps(GOOD | fields).encode()


async def exchange(target: Target, sent: bytes, *, wait: float = 1, end: str = "close") -> None:
    """Sends bytes, reads for a moment, and ends: closes, resets, or closes one side first."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        writer.write(sent)
        await asyncio.wait_for(writer.drain(), 5)
        if end == "half":
            writer.write_eof()
        if end != "reset":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(65_536), wait)
    finally:
        if end == "reset":
            writer.transport.abort()
        else:
            writer.close()


async def again(target: Target, once: Callable[[], Awaitable[None]]) -> None:
    while not target.stop.is_set():
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            await once()
        await asyncio.sleep(0.01)


async def garbage(target: Target) -> None:
    await again(target, lambda: exchange(target, target.dice.randbytes(target.dice.randrange(1, 5000))))


async def truncated(target: Target) -> None:
    whole = head(200) + report(os_version=CANARY)

    async def once() -> None:
        end = target.dice.choice(["close", "reset", "half"])
        await exchange(target, whole[: target.dice.randrange(1, len(whole))], wait=0.1, end=end)

    await again(target, once)


async def wrong_lengths(target: Target) -> None:
    body = report(os_version=CANARY)
    chunked = head("", Transfer_Encoding="chunked")
    shapes = [
        head(len(body) - 5) + body,
        head(len(body) + 500) + body,
        head(-1) + body,
        head("99999999999999999999") + body,
        head("1e3") + body,
        head(f"{len(body)}\r\nContent-Length: 3") + body,
        head(len(body), Transfer_Encoding="chunked") + body,
        chunked + b"5\r\nabcde\r\n0\r\n\r\n",
        chunked + b"fffffffffffffffff\r\nabc",
        chunked + b"-5\r\nabcde\r\n",
        chunked + b"5;" + CANARY.encode() * 2000 + b"\r\nabcde\r\n0\r\n\r\n",
        chunked + b"%x\r\n%b\r\n0\r\n\r\nPOST %b HTTP/1.1\r\n\r\n" % (len(body), body, PATH.encode()),
        head("", Transfer_Encoding="gzip, chunked") + b"0\r\n\r\n",
        head(0) + b"",
    ]
    await again(target, lambda: exchange(target, target.dice.choice(shapes), wait=0.2))


async def huge(target: Target) -> None:
    filler = CANARY.encode() * 100_000
    shapes = [
        b"POST /" + filler + b" HTTP/1.1\r\n\r\n",
        head(10, X_Long=filler.decode()) + b"{}",
        b"POST / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, CANARY.encode()) for n in range(5000)) + b"\r\n",
        head(len(filler)) + filler,
        head(5_000_000, Content_Type="application/x-ndjson") + filler * 5,
        head(len(filler), Content_Type="application/x-ndjson") + filler,
        head("", Content_Type="application/x-ndjson", Transfer_Encoding="chunked") + b"40000\r\n" + filler,
    ]
    await again(target, lambda: exchange(target, target.dice.choice(shapes), wait=0.5))


async def bombs(target: Target) -> None:
    twice = gzip.compress(_BOMB)
    packed = [("gzip", _BOMB), ("deflate", _DEFLATED_BOMB), ("gzip", twice), ("gzip", _BOMB[: len(_BOMB) // 2])]
    packed += [("gzip", CANARY.encode()), ("deflate", CANARY.encode()), ("br", b"x"), ("gzip, gzip", twice)]

    async def once() -> None:
        encoding, body = target.dice.choice(packed)
        kind = target.dice.choice(["application/json", "application/x-ndjson"])
        await exchange(target, head(len(body), Content_Encoding=encoding, Content_Type=kind) + body)

    await again(target, once)


async def pipelined(target: Target) -> None:
    body = report(hostname=CANARY)
    many = (head(len(body)) + body) * 300 + b"GET /v1/policy HTTP/1.1\r\nHost: a\r\n\r\n" * 300
    await again(target, lambda: exchange(target, many, wait=0.3, end=target.dice.choice(["close", "reset"])))


async def unread(target: Target) -> None:
    """Batches with long answers that nobody reads."""
    line = report(hostname=CANARY) + b"\n"
    body = line * 9000
    sent = head(len(body), Content_Type="application/x-ndjson") + body

    async def once() -> None:
        _, writer = await asyncio.open_connection(target.host, target.port, limit=1)
        writer.transport.pause_reading()
        writer.write(sent)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(target.stop.wait(), 1)
        writer.transport.abort()

    await again(target, once)


async def slow(target: Target) -> None:
    """A byte now and then, of a head or of a body."""

    async def once() -> None:
        reader, writer = await asyncio.open_connection(target.host, target.port)
        begun = target.dice.choice([b"", head(200)])
        writer.write(begun)
        while not target.stop.is_set() and not reader.at_eof():
            writer.write(b"P" if not begun else b" ")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1000), 0.5)
        writer.close()

    await asyncio.gather(*(again(target, once) for _ in range(40)))


async def idle(target: Target, connections: int) -> None:
    """Holds as many connections as it gets."""
    held: list[asyncio.StreamWriter] = []
    while not target.stop.is_set():
        with contextlib.suppress(OSError):
            held.append((await asyncio.open_connection(target.host, target.port))[1])
        if len(held) >= connections:
            held.pop(0).transport.abort()
            await asyncio.sleep(0.01)
    for writer in held:
        writer.transport.abort()


async def made_up_values(target: Target) -> None:
    """Valid reports with versions nobody ever released, from addresses that change with every one."""

    async def once() -> None:
        body = report(product_version=f"9.{target.dice.randrange(10**9)}", report_id=str(uuid.uuid4()), product="redis")
        address = f"203.0.113.{target.dice.randrange(256)}"
        await exchange(target, head(len(body), X_Forwarded_For=address) + body)

    await asyncio.gather(*(again(target, once) for _ in range(4)))


ATTACKS: tuple[Attack, ...] = (
    *(garbage, truncated, wrong_lengths, huge, bombs, pipelined, unread, slow, made_up_values),
    lambda target: idle(target, 2000),
)
