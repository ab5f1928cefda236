"""How the attackers guess: each takes the releases of many games and gives a guess for each.

All know the menu, k, sigma and the code. All but those who compare releases with each other also know the
counts without the target.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np

from tests.attacks.likelihood import log_likelihood
from tests.attacks.mechanism import Mechanism
from tests.attacks.worlds import Block

Attacker = Callable[[Block, Mechanism], np.ndarray]

_ALWAYS = 0.99
_CERTAIN = 1e9


def by_likelihood(block: Block, mechanism: Mechanism) -> np.ndarray:
    """Compares how likely all that is shown, and all that is absent, is in either world: no test is better."""
    ratio = np.zeros(len(block.bits))
    worlds = block.worlds
    counts = worlds.others + worlds.moved
    sigmas = worlds.sigmas(mechanism)
    for sigma in np.unique(sigmas):
        cells = np.flatnonzero((sigmas == sigma) & (worlds.difference != 0))
        shown = block.shown[:, cells]
        in_0, in_1 = (
            log_likelihood(mechanism, int(sigma), np.broadcast_to(counts[b, cells], shown.shape), shown) for b in (0, 1)
        )
        ratio += (in_1 - in_0).sum(axis=1)
    return ratio > 0


def by_subtraction(block: Block, mechanism: Mechanism) -> np.ndarray:
    """Subtracts the shown parts from their whole: what is left is the hidden part, and the target in it or not.

    Of parts near the gate only values that are too high are shown, so they are left out; others it knows anyway.
    """
    worlds, shown = block.worlds, block.shown
    sigmas = worlds.sigmas(mechanism)
    unexplained = shown - worlds.others
    usable = ~np.isnan(shown) & (worlds.chances_shown(mechanism) >= _ALWAYS)
    noise = np.maximum(sigmas, 1) ** 2
    evidence = np.zeros(len(block.bits))
    for equation in worlds.equations:
        parts = list(equation.parts)
        there = usable[:, parts]
        left = unexplained[:, equation.whole] - np.where(there, unexplained[:, parts], 0).sum(axis=1)
        in_0, in_1 = (
            worlds.moved[b][equation.whole] - np.where(there, worlds.moved[b][parts], 0).sum(axis=1) for b in (0, 1)
        )
        variance = noise[equation.whole] + np.where(there, noise[parts], 0).sum(axis=1)
        told = (left - (in_0 + in_1) / 2) * (in_1 - in_0) / variance
        evidence += np.where(usable[:, equation.whole], told, 0)
    # A cell that only the target brings to k units gives it away by being there at all.
    has_k_units = worlds.others + worlds.moved >= mechanism.k
    for b, sign in ((1, 1), (0, -1)):
        betraying = has_k_units[b] & ~has_k_units[1 - b]
        evidence += sign * _CERTAIN * (~np.isnan(shown[:, betraying])).sum(axis=1)
    return evidence > 0


def by_before_and_after(block: Block, mechanism: Mechanism) -> np.ndarray:  # noqa: ARG001 - an attacker's signature
    """Compares each cell's mean before and after: needs no knowledge but that nobody else changed."""
    evidence = np.zeros(len(block.bits))
    for numbers in _series(block).values():
        before, after = (block.shown[:, part] for part in np.split(numbers, [block.worlds.change_at]))
        n_before, n_after = ((~np.isnan(part)).sum(axis=1) for part in (before, after))
        step = block.worlds.difference[numbers[-1]]
        rise = np.nansum(after, axis=1) / np.maximum(n_after, 1) - np.nansum(before, axis=1) / np.maximum(n_before, 1)
        weight = n_before * n_after / np.maximum(n_before + n_after, 1)
        evidence += weight * step * (rise - step / 2)
    return evidence > 0


def by_same_value(block: Block, mechanism: Mechanism) -> np.ndarray:  # noqa: ARG001 - an attacker's signature
    """Looks whether the value stays the same over the change: noise that is not fresh betrays an unchanged set."""
    series = _series(block).values()
    at = block.worlds.change_at
    same = np.sum([block.shown[:, numbers[at]] == block.shown[:, numbers[at - 1]] for numbers in series], axis=0)
    return same < len(series) / 2


def _series(block: Block) -> Mapping[tuple[str, ...], np.ndarray]:
    """The numbers of the cells that differ between the worlds, by cell, oldest release first."""
    changing = {_name(block, number): None for number in np.flatnonzero(block.worlds.difference)}
    found = defaultdict(list)
    for number in range(len(block.worlds.cells)):
        if _name(block, number) in changing:
            found[_name(block, number)].append(number)
    return {name: np.array(numbers) for name, numbers in found.items()}


def _name(block: Block, number: int) -> tuple[str, ...]:
    cell = block.worlds.cells[number]
    return (cell.breakdown, *cell.values)
