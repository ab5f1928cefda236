"""What stands between true counts and the attacker: the product's own protection, or none.

`Protected` draws every value with the product's `Protection`, so switching the noise off or moving the
gate in the product shows here. `ExactCounts` is the positive control: what most systems do, exact counts
from k units on. An attack that does not break it would prove nothing about the other.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from collector.publish.menu import Menu
from collector.publish.periods import Period
from collector.publish.protection import Protection

ABSENT = math.nan


@dataclass(frozen=True)
class Cell:
    """One cell of one table in one period.

    Attributes:
        measure: what is counted.
        breakdown: the table's fields, joined by "+".
        period: of which release.
        values: the product and the fields' values.
        sigma: the menu's noise for it.
    """

    measure: str
    breakdown: str
    period: Period
    values: tuple[str, ...]
    sigma: int


class Mechanism(Protocol):
    """From a true count to a published value."""

    k: int
    gate_sigmas: int

    def publish(self, cell: Cell, true_value: int, secret: bytes) -> float:
        """The published value, or ABSENT."""


@dataclass(frozen=True)
class Protected:
    """The product: its gate and its noise."""

    menu: Menu

    @cached_property
    def k(self) -> int:
        return self.menu.k

    @cached_property
    def gate_sigmas(self) -> int:
        return self.menu.gate_sigmas

    @cached_property
    def _fingerprint(self) -> str:
        return self.menu.fingerprint

    def publish(self, cell: Cell, true_value: int, secret: bytes) -> float:
        protection = Protection(
            k=self.k,
            gate_sigmas=self.gate_sigmas,
            sigma=cell.sigma,
            secret=secret,
            context=(
                *(self._fingerprint, cell.measure, cell.breakdown),
                *(cell.period.key, cell.period.start.isoformat()),
            ),
        )
        value = protection.release(cell.values, true_value)
        return ABSENT if value is None else value


@dataclass(frozen=True)
class ExactCounts:
    """Exact counts of at least k units."""

    k: int = 10
    gate_sigmas: int = 0

    def publish(self, cell: Cell, true_value: int, secret: bytes) -> float:  # noqa: ARG002 - nothing is drawn
        return true_value if true_value >= self.k else ABSENT


@dataclass(frozen=True)
class Setting:
    """Where games are played.

    Attributes:
        menu: the tables and their protection.
        profile: which noise of the menu.
        is_exact: whether exact counts are published instead.
    """

    menu: Menu
    profile: str = "standard"
    is_exact: bool = False

    @cached_property
    def mechanism(self) -> Mechanism:
        return ExactCounts(self.menu.k) if self.is_exact else Protected(self.menu)


def release_secret(world: str, period: Period) -> bytes:
    """A fresh secret for each period of each world, from the world's name."""
    return hashlib.sha256(f"{world}|{period.key}|{period.start}".encode()).digest()
