"""Reconstruction: every licence's version at once, from all marginals and pairs of a year.

The attacker knows each licence's system and the months it was there, and that nobody changes version. Licences
alike in that are one group; how many of a group run a version is an unknown, and every released cell is a sum of
unknowns. `solvers.py` looks for unknowns that fit. A group's licences are all guessed to run its most frequent
version.

Who only looks up the most frequent version of a system has the baseline score, which is the bar. The score is
over licences that came or went: those who stay all year are alike but for their system, and nobody can do better
than the baseline for them. Few come and go each month, because that makes the groups small and the attack strong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix

from tests.attacks.licence_games import PAIR, RELEASES, VERSION
from tests.attacks.mechanism import Cell, Setting, release_secret
from tests.attacks.population import LICENCES, MEASURE, MIXES, MONTHS, PRODUCT, VALUES
from tests.attacks.scores import Score, half_width
from tests.attacks.solvers import Puzzle, by_least_squares, by_linear_program
from tests.attacks.worlds import cells_of

VERSIONS, SYSTEMS = VALUES["product_version"], VALUES["os_version"]
CHURN = 0.01
# Exact counts give 0.19 over the baseline; half of that shows that the attack can tell licences apart.
CONTROL_GAIN = 0.10
SOLVERS = {"linear program": by_linear_program, "least squares": by_least_squares}
WAYS = {
    "linear program": "a linear program that looks for versions that add up to what is shown",
    "least squares": "the most plausible versions that add up to what is shown",
}
_WORLDS_A_BLOCK = 4
_WEIGHT = 1 / 200


@dataclass(frozen=True)
class Roster:
    """All licences of a year; arrays with one entry each.

    Attributes:
        version: what is looked for, as an index.
        system: known, as an index.
        first: first month, known.
        last: last month, known.
    """

    version: np.ndarray
    system: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @property
    def has_moved(self) -> np.ndarray:
        """Whether it came or went within the year."""
        return (self.first > 0) | (self.last < MONTHS - 1)

    @property
    def groups(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """System, first and last month of each group; each licence's group; each group's size."""
        known = np.stack([self.system, self.first, self.last], axis=1)
        groups, group, size = np.unique(known, axis=0, return_inverse=True, return_counts=True)
        return groups, group.ravel(), size

    def right(self, numbers: np.ndarray) -> float:
        """The share of moving licences that run the most frequent version of their group."""
        _, group, _ = self.groups
        return float((numbers.argmax(axis=1)[group] == self.version)[self.has_moved].mean())


@dataclass(frozen=True)
class Outcome:
    """What one world came to: licences judged, the baseline's share of right ones, and each solver's."""

    judged: int
    baseline: float
    solved: Mapping[str, float]


@dataclass(frozen=True)
class ReconstructionAttack:
    """A year of all licences, solved in many worlds."""

    name: str = "reconstruction"

    def blocks(self, worlds: int) -> int:
        return math.ceil(worlds * _WEIGHT / _WORLDS_A_BLOCK)

    def play(self, setting: Setting, block: int) -> list[Outcome]:
        return [_world(setting, f"{self.name}|{block}|{world}") for world in range(_WORLDS_A_BLOCK)]

    def scores(self, protected: Sequence[list[Outcome]], exact: Sequence[list[Outcome]]) -> list[Score]:
        worlds = [outcome for block in protected for outcome in block]
        control = [outcome for block in exact for outcome in block]
        return [self._score(solver, worlds, control) for solver in SOLVERS]

    def _score(self, solver: str, worlds: Sequence[Outcome], control: Sequence[Outcome]) -> Score:
        baseline = float(np.mean([world.baseline for world in worlds]))
        gains = np.array([world.solved[solver] - world.baseline for world in worlds])
        half = half_width(float(gains.std(ddof=1)), len(gains))
        return Score(
            name=f"{self.name}: {solver}",
            does="Guesses the version of every licence that came or went, knowing its system and its months, from 12 "
            f"months of versions and versions by system, by {WAYS[solver]}; the bar is what their shares alone give.",
            games=sum(world.judged for world in worlds),
            score=baseline + gains.mean(),
            low=baseline + gains.mean() - half,
            high=baseline + gains.mean() + half,
            bar=baseline,
            theory=None,
            control=float(np.mean([world.solved[solver] for world in control])),
            control_needed=float(np.mean([world.baseline for world in control])) + CONTROL_GAIN,
            is_baseline=True,
        )


def _world(setting: Setting, name: str) -> Outcome:
    roster = enrol(np.random.default_rng(list(name.encode())))
    given = puzzle(roster, released(roster, setting, name), exact=setting.is_exact)
    solved = {solver: roster.right(solve(given)) for solver, solve in SOLVERS.items()}
    return Outcome(int(roster.has_moved.sum()), roster.right(given.expected), solved)


def enrol(rng: np.random.Generator) -> Roster:
    """Licences that come and go; one that goes makes room for a new one."""
    first: list[int] = []
    last: list[int] = []
    for _ in range(LICENCES):
        leaves = [month for month in range(1, MONTHS) if rng.random() < CHURN]
        first += [0, *leaves]
        last += [*(month - 1 for month in leaves), MONTHS - 1]
    version, system = (
        rng.choice(len(weights), len(first), p=weights / weights.sum())
        for weights in (np.array(list(MIXES[field].values()), dtype=float) for field in PAIR)
    )
    return Roster(version, system, np.array(first), np.array(last))


def released(roster: Roster, setting: Setting, name: str) -> dict[Cell, float]:
    """What is published of the versions and of the versions by system."""
    found: dict[Cell, int] = {}
    for fields in (VERSION, PAIR):
        counts = zip(RELEASES, (_counts(roster, month, fields) for month in range(MONTHS)), strict=True)
        found |= cells_of(setting, MEASURE, fields, counts, PRODUCT)
    shown = {
        cell: setting.mechanism.publish(cell, count, release_secret(name, cell.period))
        for cell, count in found.items()
        if count
    }
    return {cell: value for cell, value in shown.items() if not np.isnan(value)}


def _counts(roster: Roster, month: int, fields: tuple[str, ...]) -> dict[tuple[str, ...], int]:
    there = (roster.first <= month) & (month <= roster.last)
    if fields == VERSION:
        found = np.bincount(roster.version[there], minlength=len(VERSIONS))
        return {(version,): int(n) for version, n in zip(VERSIONS, found, strict=True)}
    table = np.zeros((len(VERSIONS), len(SYSTEMS)), dtype=int)
    np.add.at(table, (roster.version[there], roster.system[there]), 1)
    return {(VERSIONS[v], SYSTEMS[s]): int(n) for (v, s), n in np.ndenumerate(table)}


def puzzle(roster: Roster, cells: Mapping[Cell, float], *, exact: bool) -> Puzzle:
    """What the attacker has to solve."""
    groups, _, size = roster.groups
    rows, columns = [], []
    for row, cell in enumerate(cells):
        month, version = RELEASES.index(cell.period), VERSIONS.index(cell.values[1])
        member = (groups[:, 1] <= month) & (month <= groups[:, 2])
        if cell.breakdown == "+".join(PAIR):
            member &= groups[:, 0] == SYSTEMS.index(cell.values[2])
        numbers = np.flatnonzero(member)
        rows += [row] * len(numbers)
        columns += list(numbers * len(VERSIONS) + version)
    shape = (len(cells), len(groups) * len(VERSIONS))
    sums = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=shape).tocsr()
    share_of_year = (groups[:, 2] - groups[:, 1] + 1) / MONTHS
    shares = published_shares(cells, np.bincount(groups[:, 0], size * share_of_year, len(SYSTEMS)))
    noise = 0 if exact else max(cell.sigma for cell in cells)
    return Puzzle(size, size[:, None] * shares[groups[:, 0]], sums, np.array(list(cells.values())), noise)


def published_shares(cells: Mapping[Cell, float], per_system: np.ndarray) -> np.ndarray:
    """The share of each version in each system; systems x versions.

    Where a pair is released its mean, and what is left of the system, whose size is known, is taken to be mixed
    as the versions are that are released for all systems together.
    """
    months, total = np.zeros((2, len(SYSTEMS), len(VERSIONS)))
    alone = np.full(len(VERSIONS), 1e-3)
    for cell, value in cells.items():
        version = VERSIONS.index(cell.values[1])
        if cell.breakdown == "+".join(PAIR):
            at = SYSTEMS.index(cell.values[2]), version
            months[at] += 1
            total[at] += value
        else:
            alone[version] += value
    mean = total / np.maximum(months, 1)
    left = np.maximum(per_system - mean.sum(axis=1), 1)[:, None]
    hidden = np.where(months == 0, alone, 0)
    counts = mean + left * hidden / np.maximum(hidden.sum(axis=1, keepdims=True), 1e-9)
    return counts / counts.sum(axis=1, keepdims=True)
