"""What is asked about: a fleet that reports, and the machines that are to carry it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Way(StrEnum):
    """How a report arrives."""

    TLS = "new-tls"
    NEW = "new"
    KEEPALIVE = "keepalive"
    BATCH = "batch"


@dataclass(frozen=True)
class Fleet:
    """What comes.

    Attributes:
        reports_per_day: accepted ones.
        products: that report.
        retention_days: how long a counted report is kept at the most.
        peak_factor: how much more than the mean the busiest hour brings.
        shares: how reports arrive; they add up to 1.
    """

    reports_per_day: float
    products: int
    retention_days: int
    peak_factor: float
    shares: Mapping[Way, float]


@dataclass(frozen=True)
class Box:
    """What one machine is to be: its cores, and how busy they may be in the busiest hour."""

    cores: int
    target_utilisation: float

    @property
    def usable_cores(self) -> float:
        """Cores that work is planned for."""
        return self.cores * self.target_utilisation
