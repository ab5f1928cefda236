"""A classifier that was trained on simulated worlds: an attacker who need not know any formula.

It sees every value of every table over 12 months, less what it knows of the others, with a flag for each
absent one, and their sums over the year. It is judged by worlds of other seeds than it was trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from tests.attacks.games import CONTROL_NEEDED, STRICT_BAR, Game
from tests.attacks.licence_games import published_tables, there, two_lives
from tests.attacks.mechanism import Setting
from tests.attacks.playing import GAMES_A_BLOCK, draw
from tests.attacks.population import MONTHS, OTHER_VERSION, grow
from tests.attacks.scores import Score, wilson
from tests.attacks.worlds import Block, TwoWorlds

Lesson = tuple[np.ndarray, np.ndarray]
"""Features of games, and the bits of the same games."""


def _all_cells(setting: Setting, rng: np.random.Generator) -> TwoWorlds:
    lives = (there(), there(product_version=OTHER_VERSION))
    return two_lives(setting, grow(rng), published_tables(setting.menu), lives)


CLASSIFIED = Game(
    "trained classifier, version A or B",
    "which of two versions a licence runs, from 12 months of every table, knowing all others",
    _all_cells,
    STRICT_BAR,
    weight=0.5,
)


@dataclass(frozen=True)
class ClassifierAttack:
    """Learns from the first half of its blocks and is judged by the second."""

    game: Game = CLASSIFIED

    @property
    def name(self) -> str:
        return self.game.name

    def blocks(self, worlds: int) -> int:
        return 2 * math.ceil(worlds * self.game.weight / 2 / GAMES_A_BLOCK)

    def play(self, setting: Setting, block: int) -> Lesson:
        return features(draw(self.game, setting, block))

    def scores(self, protected: Sequence[Lesson], exact: Sequence[Lesson]) -> list[Score]:
        (right, games), (control_right, control_games) = (_learn_and_guess(lessons) for lessons in (protected, exact))
        low, high = wilson(right, games)
        return [
            Score(
                name=self.name,
                does=f"Guesses {self.game.asks}, by a classifier trained on simulated worlds.",
                games=games,
                score=right / games,
                low=low,
                high=high,
                bar=self.game.bar,
                theory=None,
                control=control_right / control_games,
                control_needed=CONTROL_NEEDED,
            )
        ]


def features(block: Block) -> Lesson:
    """What the classifier sees of each game of a block."""
    excess = block.shown - block.worlds.others
    absent = np.isnan(excess)
    excess = np.where(absent, 0, excess)
    order = np.argsort([cell.period.start.toordinal() for cell in block.worlds.cells], kind="stable")
    of_the_year = excess[:, order].reshape(len(excess), MONTHS, -1).sum(axis=1)
    return np.hstack([excess, of_the_year, absent]).astype(np.float32), block.bits


def _learn_and_guess(lessons: Sequence[Lesson]) -> tuple[int, int]:
    """How many guesses are right, and how many there are."""
    half = len(lessons) // 2
    (seen, bits), (unseen, secret_bits) = (
        (np.vstack([lesson[0] for lesson in part]), np.concatenate([lesson[1] for lesson in part]))
        for part in (lessons[:half], lessons[half:])
    )
    telling = seen.std(axis=0) > 0
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=1000))
    with threadpool_limits(1):  # sums in one order: the same score on any number of cores
        model.fit(seen[:, telling], bits)
        return int((model.predict(unseen[:, telling]) == secret_bits).sum()), len(secret_bits)
