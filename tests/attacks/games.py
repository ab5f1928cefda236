"""The games that are played, by whom, and how often the attacker may be right.

A bar is what the upper end of the 95 % interval may reach; a game without one is played to publish its score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.attacks.attackers import Attacker, by_before_and_after, by_likelihood, by_same_value, by_subtraction
from tests.attacks.licence_games import (
    ABSENT_LICENCE,
    MakeWorlds,
    frozen,
    gone,
    in_four_cells,
    rare_version,
    scarce_pair,
    there,
    told_apart,
    upgraded,
)
from tests.attacks.population import MANY_LICENCES, OTHER_VERSION, OTHERWISE
from tests.attacks.report_games import busy_day, everything, quiet_day

WAYS = {
    "likelihood": "by how likely all that is shown, and all that is absent, is in either world",
    "subtraction": "by what is left of a whole after its shown parts",
    "before and after": "by the difference of the means before and after",
    "same value": "by whether a value stays the same",
}
STRICT_BAR, CHANGE_BAR = 0.65, 0.70
CONTROL_NEEDED = 0.99
# A change is told best where the attacker knows the others after the first release; without, in the middle.
FIRST_CHANGE, MIDDLE = 1, 6


@dataclass(frozen=True)
class Game:
    """One pair of worlds to tell apart.

    Attributes:
        name: of the game.
        asks: what the attacker guesses, and from what.
        make: makes the worlds.
        bar: the highest score that may be, or None.
        attackers: who plays, by the way they go about it; the games are the same for all.
        weight: how many worlds are played, of those asked for.
    """

    name: str
    asks: str
    make: MakeWorlds
    bar: float | None
    attackers: Mapping[str, Attacker] = field(default_factory=lambda: {"likelihood": by_likelihood})
    weight: float = 1.0


_SUBTRACTING = {"subtraction": by_subtraction, "likelihood": by_likelihood}
_COMPARING = {"before and after": by_before_and_after, "same value": by_same_value, "likelihood": by_likelihood}

GAMES = (
    Game(
        "total minus part, there or not",
        "whether a licence runs a suppressed version or is not there, from 12 months of totals and versions",
        rare_version(ABSENT_LICENCE),
        STRICT_BAR,
        _SUBTRACTING,
        0.4,
    ),
    Game(
        "total minus part, which version",
        "whether a licence runs a suppressed version or the usual one, from 12 months of totals and versions",
        rare_version(there()),
        STRICT_BAR,
        _SUBTRACTING,
        0.4,
    ),
    Game(
        "overlapping filters, there or not",
        "whether a licence is in a suppressed cell of versions by systems or not there, from that and both margins",
        scarce_pair(ABSENT_LICENCE),
        STRICT_BAR,
        _SUBTRACTING,
        0.2,
    ),
    Game(
        "overlapping filters, which system",
        "whether a licence is in a suppressed cell of versions by systems or a shown one, from that and both margins",
        scarce_pair(there()),
        STRICT_BAR,
        _SUBTRACTING,
        0.2,
    ),
    Game(
        "day against month, suppressed day",
        "whether one boot was on a day that is suppressed, from a version's other days, weeks and month",
        quiet_day,
        STRICT_BAR,
        _SUBTRACTING,
        0.4,
    ),
    Game(
        "day against month, open day",
        "whether one boot was, from a version's day, week and month and the open day's three moments",
        busy_day,
        STRICT_BAR,
        weight=0.4,
    ),
    Game(
        "upgrade",
        "whether a licence changed its version after the first month, knowing all others in every month",
        told_apart((there(), upgraded(FIRST_CHANGE))),
        CHANGE_BAR,
        weight=0.5,
    ),
    Game(
        "upgrade, frozen population",
        "whether a licence changed its version after six months in which, and after which, nobody else changes",
        frozen((there(), upgraded(MIDDLE)), MIDDLE),
        CHANGE_BAR,
        _COMPARING,
        0.4,
    ),
    Game(
        "churn",
        "whether a licence left after the first month, knowing all others in every month",
        told_apart((there(), gone(FIRST_CHANGE))),
        CHANGE_BAR,
        weight=0.5,
    ),
    Game(
        "churn, frozen population",
        "whether a licence left after six months in which, and after which, nobody else changes",
        frozen((there(), gone(MIDDLE)), MIDDLE),
        CHANGE_BAR,
        _COMPARING,
        0.4,
    ),
    Game(
        "everything, version A or B",
        "which of two versions a licence runs, from 12 months of every table, knowing all others",
        told_apart((there(), there(product_version=OTHER_VERSION))),
        STRICT_BAR,
    ),
    Game(
        "everything, there or not",
        "whether a licence is there, from 12 months of every table, knowing all others",
        told_apart((ABSENT_LICENCE, there())),
        STRICT_BAR,
    ),
    Game(
        "everything, which of two lives",
        "which of two lives that differ in version, system and language a licence leads, every cell being shown",
        told_apart((there(), there(**OTHERWISE)), licences=MANY_LICENCES),
        None,
        weight=0.5,
    ),
    Game(
        "everything, licence in four cells",
        "whether a licence in four cells of each table is there, among so many others that every cell is shown",
        told_apart((ABSENT_LICENCE, in_four_cells()), licences=MANY_LICENCES),
        None,
        weight=0.5,
    ),
    Game(
        "one boot report",
        "whether one boot was, from every cell that it moves, knowing all others",
        everything,
        None,
    ),
)
