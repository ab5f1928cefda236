"""Answers that were given before: published cells change only when something is released or hidden."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_BYTES = 64 << 20
_LOOK_EVERY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished answer."""

    status: int
    media_type: str
    body: bytes


class Cache:
    """Keeps answers by what was asked, for as long as what they were made from stays the same.

    Args:
        state: says from what answers are made; asked once a second at the most. Blocking.
        clock: seconds, monotonic.
    """

    def __init__(self, state: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._clock = clock
        self._looked_at = float("-inf")
        self._known = ""
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def tag(self, asked: str) -> str:
        """The entity tag of the answer to `asked`; the same for as long as the answer is. Blocking."""
        with self._lock:
            now = self._clock()
            if now - self._looked_at >= _LOOK_EVERY_SECONDS:
                state = f"{version('product-telemetry')} {self._state()}"
                if state != self._known:
                    self._kept.clear()
                    self._bytes = 0
                self._known, self._looked_at = state, now
        return hashlib.sha256(f"{self._known}\n{asked}".encode()).hexdigest()[:32]

    def get(self, tag: str) -> Kept | None:
        """The answer with this tag, if it is kept."""
        with self._lock:
            kept = self._kept.get(tag)
            if kept is not None:
                self._kept.move_to_end(tag)
            return kept

    def keep(self, tag: str, answer: Kept) -> None:
        """Keeps an answer; those asked for longest ago make room."""
        with self._lock:
            if len(answer.body) > _MOST_BYTES // 8 or tag in self._kept:
                return
            self._kept[tag] = answer
            self._bytes += len(answer.body)
            while self._bytes > _MOST_BYTES:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone.body)
