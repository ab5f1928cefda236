"""One connection of the sender: prepared requests out, whole answers in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class NoAnswerError(Exception):
    """The server closed the connection before it had answered."""


class Connection(asyncio.Protocol):
    """Sends a request, and another one after each answer, until there is none.

    Args:
        first: the first request.
        another: makes the next one; None closes the connection.
        answered: called with the status, three digits, of each whole answer.
        done: is told the end: nothing, NoAnswerError, or what broke the connection.
    """

    def __init__(
        self,
        first: bytes,
        another: Callable[[], bytes | None],
        answered: Callable[[bytes], None],
        done: asyncio.Future[None],
    ) -> None:
        self._first = first
        self._another = another
        self._answered = answered
        self._done = done
        self._read = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # of uvloop's, which are not derived from it
        self._transport.write(self._first)

    def data_received(self, data: bytes) -> None:
        if self._done.done():
            return
        self._read = self._read + data if self._read else data
        if not is_whole(self._read):
            return
        # "HTTP/1.1 202 Accepted"
        self._answered(self._read[9:12])
        self._read = b""
        request = self._another()
        if request is not None:
            self._transport.write(request)
            return
        self._done.set_result(None)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or NoAnswerError())


def is_whole(answer: bytes) -> bool:
    """Whether an answer with a length or in chunks has arrived to its end; requests are never sent ahead of it."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    if b"\r\ntransfer-encoding: chunked" in head:
        return answer.endswith(b"\r\n0\r\n\r\n")
    at = head.find(b"\r\ncontent-length:")
    length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    return len(answer) >= end + 4 + length
