"""A token bucket for each client address, which is forgotten as soon as it has been hashed.

For reports, and for attempts to sign in, which count as a report each.

The bucket's key is a hash under a random salt that lives in this process's memory for an hour at most: nobody
can tell from it which address it stands for, and nothing of it is written anywhere. Of IPv6 the first 64
bits count, since one machine has all of the rest.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.addresses import Address

_SALT_SECONDS = 3600
# About 10 MB; beyond it, the bucket that was not asked for longest is forgotten.
_MOST_BUCKETS = 65_536
_NETWORK_BYTES = 8


class RateLimiter:
    """Says whether an address may send more.

    Args:
        per_second: reports that an address gets back each second; 0 turns the limiter off.
        burst: reports that a rested address may send at once.
        now: a clock in seconds that never goes back.
    """

    def __init__(self, per_second: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._now = now
        self._forget()

    def admits(self, address: Address | None, reports: int = 1) -> bool:
        """Whether `address` may send so many more reports; if so it is charged, into debt if need be.

        What is admitted while anything is left may cost more than is left, so that a long batch can be sent at
        all; nothing more is admitted until the debt is paid. No address is always admitted.
        """
        if address is None or not self._per_second:
            return True
        key, tokens = self._bucket(address)
        if tokens < 1:
            return False
        self._buckets[key] = (tokens - reports, self._now())
        return True

    def _bucket(self, address: Address) -> tuple[bytes, float]:
        """The key of an address and how many reports it may send now."""
        now = self._now()
        if now - self._salted_at >= _SALT_SECONDS:
            self._forget()
        packed = address.packed if address.version == 4 else address.packed[:_NETWORK_BYTES]  # noqa: PLR2004 - IPv4
        key = hashlib.blake2b(packed, key=self._salt, digest_size=8).digest()
        tokens, at = self._buckets.pop(key, (self._burst, now))
        if len(self._buckets) >= _MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = (tokens, at)
        return key, min(self._burst, tokens + (now - at) * self._per_second)

    def _forget(self) -> None:
        self._salt = secrets.token_bytes(16)
        self._salted_at = self._now()
        self._buckets: dict[bytes, tuple[float, float]] = {}
