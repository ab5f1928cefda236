"""How often signing in may be tried: by one address, and by everybody together.

No guess among 256 random bits ever hits, so this keeps the audit trail short and the processor free. Of an
address only a salted hash is held, in memory, for an hour at most, see collector/rate.py.
"""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING

from collector.rate import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.addresses import Address

# The limiter counts by address; this one, which nobody has, stands for all of them.
_EVERYBODY = ipaddress.IPv4Address(0)
RETRY_AFTER_SECONDS = 10


class Attempts:
    """Counts attempts.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._of_each = RateLimiter(1 / RETRY_AFTER_SECONDS, 10, clock)
        self._of_all = RateLimiter(2, 200, clock)
        self._told = RateLimiter(1 / 60, 100, clock)

    def admits(self, address: Address | None) -> bool:
        """Whether one more is admitted; None (this machine itself) counts among all only."""
        return self._of_each.admits(address) and self._of_all.admits(_EVERYBODY)

    def is_worth_a_line(self) -> bool:
        """Whether a failure gets a line of the audit trail: the first hundred, in the long run one a minute."""
        return self._told.admits(_EVERYBODY)
