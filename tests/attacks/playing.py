"""Plays two-world games in blocks, each with a population of its own, so that processes can share the work.

What a block holds follows from the game's name and the block's number, not from who plays it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from tests.attacks.attackers import by_before_and_after, by_likelihood
from tests.attacks.games import CONTROL_NEEDED, WAYS, Game
from tests.attacks.mechanism import Setting
from tests.attacks.scores import Score, best_possible, wilson
from tests.attacks.worlds import Block, TwoWorlds, play

GAMES_A_BLOCK = 100


@dataclass(frozen=True)
class Tally:
    """What one block came to: guesses that were right, and what is expected in theory, by attacker."""

    right: dict[str, int]
    theory: dict[str, float]


@dataclass(frozen=True)
class TwoWorldAttack:
    """A game with everyone who plays it."""

    game: Game

    @property
    def name(self) -> str:
        return self.game.name

    def blocks(self, worlds: int) -> int:
        return math.ceil(worlds * self.game.weight / GAMES_A_BLOCK)

    def play(self, setting: Setting, block: int) -> Tally:
        played = draw(self.game, setting, block)
        attackers = self.game.attackers.items()
        right = {name: int((attack(played, setting.mechanism) == played.bits).sum()) for name, attack in attackers}
        expected = {name: _theory(played.worlds, setting, attack) for name, attack in attackers}
        return Tally(right, {name: theory for name, theory in expected.items() if theory})

    def scores(self, protected: Sequence[Tally], exact: Sequence[Tally]) -> list[Score]:
        games = len(protected) * GAMES_A_BLOCK
        found = []
        for attacker in self.game.attackers:
            right = sum(tally.right[attacker] for tally in protected)
            low, high = wilson(right, games)
            theories = [tally.theory[attacker] for tally in protected if attacker in tally.theory]
            found.append(
                Score(
                    name=f"{self.name}: {attacker}",
                    does=f"Guesses {self.game.asks}, {WAYS[attacker]}.",
                    games=games,
                    score=right / games,
                    low=low,
                    high=high,
                    bar=self.game.bar,
                    theory=fmean(theories) if theories else None,
                    control=sum(tally.right[attacker] for tally in exact) / (len(exact) * GAMES_A_BLOCK),
                    control_needed=CONTROL_NEEDED,
                )
            )
        return found


def draw(game: Game, setting: Setting, block: int, seed: str = "") -> Block:
    """Block number `block` of a game; another `seed` makes other games of the same kind."""
    name = f"{seed}{game.name}|{block}"
    worlds = game.make(setting, np.random.default_rng(list(name.encode())))
    return play(worlds, setting.mechanism, name, GAMES_A_BLOCK)


def _theory(worlds: TwoWorlds, setting: Setting, attack: object) -> float | None:
    if setting.is_exact:
        return None
    if attack is by_likelihood:
        return worlds.best_possible(setting.mechanism)
    return _comparing(worlds) if attack is by_before_and_after else None


def _comparing(worlds: TwoWorlds) -> float:
    """What the difference of two means is expected to tell."""
    before = worlds.change_at
    after = len({cell.period for cell in worlds.cells}) - before
    sigmas = np.array([cell.sigma for cell in worlds.cells])
    squared_steps = np.sum((worlds.difference / sigmas) ** 2) / after
    return best_possible(squared_steps * before * after / (before + after))
