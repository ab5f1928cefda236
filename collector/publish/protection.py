"""From a true count to a released value, or to nothing. Pure: the secret is passed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.noise import discrete_gaussian, keyed_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

_Z_95 = 1.96


@dataclass(frozen=True, slots=True)
class Protection:
    """How the cells of one table in one period are protected.

    Attributes:
        k: fewest units behind a released cell.
        gate_sigmas: how many sigma above k the noisy value must lie.
        sigma: standard deviation of the noise.
        secret: the period's release secret.
        context: what the noise stream depends on besides cell and true value: menu, table, period.
    """

    k: int
    gate_sigmas: int
    sigma: int
    secret: bytes
    context: tuple[str, ...]

    @property
    def threshold(self) -> int:
        """The smallest value that is released."""
        return self.k + self.gate_sigmas * self.sigma

    @property
    def error(self) -> int:
        """Half the width of the 95 % interval of a released value, rounded up."""
        return error_95(self.sigma)

    def release(self, cell: Sequence[str], true_value: int) -> int | None:
        """The value to publish for `cell`, or None: too small and never there look the same."""
        below = keyed_stream(self.secret, [*self.context, list(cell), true_value])
        return self.gate(true_value, discrete_gaussian(self.sigma, below))

    def gate(self, true_value: int, noise: int) -> int | None:
        """What is published of a true value and its noise; whatever the noise, nothing of fewer than k units."""
        noisy = true_value + noise
        return noisy if true_value >= self.k and noisy >= self.threshold else None


def error_95(sigma: float) -> int:
    """Half the width of the 95 % interval of a value with noise `sigma`, rounded up."""
    return math.ceil(_Z_95 * sigma)
