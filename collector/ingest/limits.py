"""The bounds of what one worker takes, with units in the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector.addresses import Network

NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class Limits:
    """How much may come, how fast and from whom; the settings of the same names say what each means."""

    max_body_bytes: int
    max_batch_bytes: int
    max_batch_lines: int
    max_in_flight: int
    max_in_flight_bytes: int
    max_connections: int
    idle_seconds: float
    request_seconds: float
    rate_per_second: float
    rate_burst: int
    trusted_proxies: tuple[Network, ...]
    stopped_clients: tuple[int, ...]

    def of(self, media_type: str) -> int:
        """The longest body of a media type, in bytes."""
        return self.max_batch_bytes if media_type == NDJSON else self.max_body_bytes
