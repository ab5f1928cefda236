"""Whether made-up values flood a field, told so that no single report can be told from it.

A budget that is spent first come, first served would betray its guests: who fills it up to the last place and
then waits can see from the next value's fate whether one more report was there. So the budget is never spent by
a report. At fixed moments the number of new values is compared with the budget, both with noise (the technique
is AboveThreshold: Dwork and Roth, The Algorithmic Foundations of Differential Privacy, section 3.6), until it is
over it once. What a report's row becomes then follows from the report, from what is public, and from whether
the field is flooded by now.

One report brings one value to each field, so it spends EPSILON for each of the fields; the accounting counts it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from collector.noise import discrete_laplace, keyed_stream

if TYPE_CHECKING:
    from collections.abc import Sized

    from collector.noise import Below

# The fields whose format lets anybody make up values; the rest are closed lists.
FIELDS = ("product_version", "os_version", "instance_type", "language")
EPSILON = 0.1
_BUDGET_SCALE, _COUNT_SCALE = round(2 / EPSILON), round(4 / EPSILON)
SMALLEST_BUDGET = 1_000
"""Smaller, the noise of a day's many looks alone would pass for a flood."""


def random_source() -> Below:
    """Uniform integers that nobody can foretell."""
    return keyed_stream(secrets.token_bytes(32), ["flood"])


class Flood:
    """One field of one product on one day.

    Args:
        budget: how many new values it may bring, about.
        below: the noise.
    """

    def __init__(self, budget: int, below: Below) -> None:
        self._below = below
        self._budget = budget + discrete_laplace(_BUDGET_SCALE, below)
        self.values: set[str] = set()
        self.is_on = False

    def look(self) -> bool:
        """Compares; to be called at moments that no report has a part in. Whether the field is flooded since now."""
        if self.is_on or not self._is_over(self.values):
            return False
        self.is_on = True
        self.values = set()
        return True

    def _is_over(self, values: Sized) -> bool:
        return len(values) + discrete_laplace(_COUNT_SCALE, self._below) >= self._budget
