"""All attacks, and how they are played to the end: blocks of each, in any order, then the scores.

Exact counts are played for a tenth of the blocks: a control is as good as certain, or the attack is broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from tests.attacks.classifier import ClassifierAttack
from tests.attacks.games import GAMES
from tests.attacks.mechanism import Setting
from tests.attacks.playing import TwoWorldAttack
from tests.attacks.reconstruction import ReconstructionAttack
from tests.attacks.scores import Score

_CONTROL_SHARE = 0.1
_FEWEST_CONTROL_BLOCKS = 4


class Attack(Protocol):
    """One attack: blocks that can be played apart, and what they come to together."""

    name: str

    def blocks(self, worlds: int) -> int:
        """How many blocks there are, if so many worlds are asked for."""

    def play(self, setting: Setting, block: int) -> Any:
        """Plays one block."""

    def scores(self, protected: Sequence[Any], exact: Sequence[Any]) -> list[Score]:
        """The scores, from the blocks against the product and those against exact counts."""


ATTACKS: tuple[Attack, ...] = (*map(TwoWorldAttack, GAMES), ClassifierAttack(), ReconstructionAttack())

Task = tuple[int, bool, int]
"""Number of the attack, whether against exact counts, number of the block."""


def tasks(worlds: int, attacks: Sequence[Attack] = ATTACKS) -> list[Task]:
    """All blocks to play."""
    found: list[Task] = []
    for number, attack in enumerate(attacks):
        blocks = attack.blocks(worlds)
        control = min(blocks, max(_FEWEST_CONTROL_BLOCKS, 2 * math.ceil(_CONTROL_SHARE * blocks / 2)))
        found += [(number, False, block) for block in range(blocks)]
        found += [(number, True, block) for block in range(control)]
    return found


def scores(
    planned: Sequence[Task],
    played: Iterable[Any],
    attacks: Sequence[Attack] = ATTACKS,
    done: Callable[[], None] = lambda: None,
) -> list[Score]:
    """The scores of all attacks; `played` are the blocks in the order of `planned`."""
    pieces: dict[tuple[int, bool], list[Any]] = {}
    for (number, exact, _), piece in zip(planned, played, strict=True):
        pieces.setdefault((number, exact), []).append(piece)
        done()
    return [
        score
        for number, attack in enumerate(attacks)
        for score in attack.scores(pieces[number, False], pieces[number, True])
    ]
