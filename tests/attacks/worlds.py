"""Two worlds that differ in what one unit did, and many releases drawn from one or the other.

A secret fair bit chooses the world; the attacker sees what is released, knows the counts without the
target, and guesses the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collector.publish.periods import Period
from tests.attacks.likelihood import chance_shown
from tests.attacks.mechanism import ABSENT, Cell, ExactCounts, Mechanism, Setting, release_secret
from tests.attacks.scores import best_possible


@dataclass(frozen=True)
class Equation:
    """A cell that is the sum of others, by number: what subtraction uses."""

    whole: int
    parts: tuple[int, ...]


@dataclass(frozen=True)
class TwoWorlds:
    """What may be released, and how the two worlds differ.

    Attributes:
        cells: the cells that the attack looks at.
        others: their true counts without the target.
        moved: by how much the target moves each, in world 0 and in world 1.
        equations: which cells are sums of which.
        change_at: from which release on the worlds differ.
    """

    cells: Sequence[Cell]
    others: np.ndarray
    moved: np.ndarray
    equations: tuple[Equation, ...] = ()
    change_at: int = 0

    @property
    def difference(self) -> np.ndarray:
        return self.moved[1] - self.moved[0]

    def sigmas(self, mechanism: Mechanism) -> np.ndarray:
        """The noise of each cell; 0 for exact counts."""
        return np.array([0 if isinstance(mechanism, ExactCounts) else cell.sigma for cell in self.cells])

    def told_apart(self) -> TwoWorlds:
        """Without the cells that are the same in both worlds: who knows the others learns nothing from them."""
        kept = np.flatnonzero(self.difference)
        return TwoWorlds([self.cells[i] for i in kept], self.others[kept], self.moved[:, kept])

    def chances_shown(self, mechanism: Mechanism) -> np.ndarray:
        """The chance of each cell to pass the gate."""
        return np.array(
            [
                float(chance_shown(mechanism, int(sigma), count))
                for sigma, count in zip(self.sigmas(mechanism), self.others, strict=True)
            ]
        )

    def best_possible(self, mechanism: Mechanism) -> float:
        """The best test's score from the cells that the gate lets through."""
        squares = self.difference**2 / self.sigmas(mechanism) ** 2
        return best_possible(float(np.sum(squares * self.chances_shown(mechanism))))


@dataclass(frozen=True)
class Block:
    """Games in one pair of worlds.

    Attributes:
        worlds: the pair.
        bits: which of them each game was in.
        shown: what was released in each game, ABSENT where nothing was; games x cells.
    """

    worlds: TwoWorlds
    bits: np.ndarray
    shown: np.ndarray


def play(worlds: TwoWorlds, mechanism: Mechanism, name: str, games: int) -> Block:
    """Draws `games` games; the same name gives the same games."""
    bits = np.random.default_rng(list(name.encode())).integers(0, 2, games)
    by_period: dict[Period, list[int]] = {}
    for number, cell in enumerate(worlds.cells):
        by_period.setdefault(cell.period, []).append(number)
    shown = np.full((games, len(worlds.cells)), ABSENT)
    for game in range(games):
        counts = worlds.others + worlds.moved[bits[game]]
        for period, numbers in by_period.items():
            secret = release_secret(f"{name}|{game}", period)
            for number in numbers:
                # A cell of no units does not occur in the data, so the product never asks for it.
                if counts[number]:
                    shown[game, number] = mechanism.publish(worlds.cells[number], int(counts[number]), secret)
    return Block(worlds, bits, shown)


def cells_of(
    setting: Setting,
    measure: str,
    fields: tuple[str, ...],
    counts: Iterable[tuple[Period, Mapping[tuple[str, ...], int]]],
    product: str,
) -> dict[Cell, int]:
    """The cells of one table of the menu with their true counts."""
    (table,) = (t for t in setting.menu.tables if (t.measure, t.fields) == (measure, fields))
    found = {}
    for period, table_counts in counts:
        if period.grain in table.grains:
            sigma = setting.menu.sigma(table, period.grain, setting.profile)
            for values, count in table_counts.items():
                found[Cell(measure, table.breakdown, period, (product, *values), sigma)] = count
    return found
