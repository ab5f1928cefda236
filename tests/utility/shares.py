"""How much of the truth can be seen in what was released. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist, median

from tests.utility.world import Cell, Counts

SIZES = ((40, 99), (100, 999), (1_000, 9_999), (10_000, None))
"""Sizes of true cells, first and last; the last class has no end."""


@dataclass(frozen=True)
class Spread:
    """A figure for all periods of a grain together, and the lowest and highest of one period."""

    all: float
    low: float
    high: float


@dataclass(frozen=True)
class Accuracy:
    """The cells of one size: how many there are, how many of them are released, and how far those are off.

    Attributes:
        error: the median of |released - true| / true; None where none is released.
    """

    cells: int
    released: int
    error: float | None


def visible(truth: Counts, released: Counts, grain: str, measure: str, breakdown: str) -> Spread:
    """The share of a table's units that lie in released cells."""
    shown: dict[str, int] = defaultdict(int)
    there: dict[str, int] = defaultdict(int)
    for cell, n in _of(truth, grain, measure, breakdown):
        there[cell.period] += n
        shown[cell.period] += n if cell in released else 0
    return _spread(shown, there)


def expected(truth: Counts, grain: str, breakdown: str, *, k: int, sigma: int, gate_sigmas: int) -> float:
    """The share of boots that `k` and `sigma` would show, computed instead of drawn."""
    shown = there = 0.0
    for _, n in _of(truth, grain, "boots", breakdown):
        there += n
        shown += n * _chance(n, k, sigma, gate_sigmas)
    return shown / there


def accuracy(truth: Counts, released: Counts, measures: Iterable[str], size: tuple[int, int | None]) -> Accuracy:
    """How near the released values of all tables and grains of `measures` are, for cells of one true size."""
    least, most = size
    sized = [(c, n) for c, n in truth.items() if c.measure in measures and least <= n and (most is None or n <= most)]
    errors = [abs(released[cell] - n) / n for cell, n in sized if cell in released]
    return Accuracy(len(sized), len(errors), median(errors) if errors else None)


def products_seen(truth: Counts, released: Counts, grain: str) -> Spread:
    """Of how many products at least half of the boots lie in released cells by version: median, least and most."""
    shown: dict[tuple[str, str], int] = defaultdict(int)
    there: dict[tuple[str, str], int] = defaultdict(int)
    for cell, n in _of(truth, grain, "boots", "product_version"):
        there[cell.period, cell.values[0]] += n
        shown[cell.period, cell.values[0]] += n if cell in released else 0
    seen = dict.fromkeys((period for period, _ in there), 0)
    for (period, product), n in there.items():
        seen[period] += 2 * shown[period, product] >= n
    return Spread(median(seen.values()), min(seen.values()), max(seen.values()))


def _of(counts: Counts, grain: str, measure: str, breakdown: str) -> Iterable[tuple[Cell, int]]:
    table = (grain, measure, breakdown)
    return ((cell, n) for cell, n in counts.items() if (cell.grain, cell.measure, cell.breakdown) == table)


def _spread(shown: dict[str, int], there: dict[str, int]) -> Spread:
    each = [shown[period] / n for period, n in there.items()]
    return Spread(sum(shown.values()) / sum(there.values()), min(each), max(each))


def _chance(n: int, k: int, sigma: int, gate_sigmas: int) -> float:
    """How likely a cell of `n` units is released: the noise lifts it over the gate, or does not let it fall below."""
    missing = k + gate_sigmas * sigma - n
    return 1 - NormalDist(0, sigma).cdf(missing - 0.5) if n >= k else 0.0
