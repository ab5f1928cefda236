"""Shares of right guesses, their 95 % intervals, what theory expects, and when a score passes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

_Z = 1.959964
# How far below its theory an attacker's whole interval may lie: a weaker one would prove nothing.
SLACK = 0.01
DIGITS = 4


@dataclass(frozen=True)
class Score:
    """What one attacker reached.

    Attributes:
        name: the game and the attacker.
        does: what the attacker does, in one sentence.
        games: how many guesses were judged.
        score: share of right ones.
        low: lower end of its 95 % interval.
        high: upper end.
        bar: what may be reached, or None where the score is published only.
        theory: what the best test is expected to reach, or None.
        control: the score against exact counts.
        control_needed: what that must be for the score to prove anything.
        is_baseline: whether the bar is itself measured: then the interval need only reach down to it.
    """

    name: str
    does: str
    games: int
    score: float
    low: float
    high: float
    bar: float | None
    theory: float | None
    control: float
    control_needed: float
    is_baseline: bool = False

    @property
    def is_significantly_above(self) -> bool:
        """Whether the whole interval lies above the bar."""
        return self.bar is not None and self.low > self.bar

    @property
    def passed(self) -> bool:
        below = self.bar is None or (not self.is_significantly_above if self.is_baseline else self.high <= self.bar)
        in_strength = self.theory is None or self.high >= self.theory - SLACK
        return below and in_strength and self.control_works

    @property
    def control_works(self) -> bool:
        return self.control >= self.control_needed

    def published(self) -> dict[str, Any]:
        """As it stands in the file of scores."""

        def shortened(value: float | None) -> float | None:
            return None if value is None else round(float(value), DIGITS)

        return {
            "name": self.name,
            "does": self.does,
            "games": self.games,
            **{name: shortened(getattr(self, name)) for name in ("score", "low", "high", "bar", "theory")},
            **{name: shortened(getattr(self, name)) for name in ("control", "control_needed")},
            "passed": self.passed,
        }


def wilson(right: int, games: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    share = right / games
    middle = share + _Z**2 / (2 * games)
    half = _Z * math.sqrt(share * (1 - share) / games + _Z**2 / (4 * games**2))
    return (middle - half) / (1 + _Z**2 / games), (middle + half) / (1 + _Z**2 / games)


def half_width(deviation: float, n: int) -> float:
    """Half the 95 % interval of a mean of `n` values with that standard deviation."""
    return _Z * deviation / math.sqrt(n)


def best_possible(squared_differences: float) -> float:
    """The best test's share of right answers; differences in sigmas, squared, summed over all cells."""
    return NormalDist().cdf(math.sqrt(squared_differences) / 2)
