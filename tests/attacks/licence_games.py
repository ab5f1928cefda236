"""Games about one licence: which pair of worlds the attacker has to tell apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from collector.publish.menu import Menu
from collector.publish.periods import Period
from tests.attacks.mechanism import Cell, Setting
from tests.attacks.population import (
    FIELDS,
    LICENCES,
    MEASURE,
    MONTHS,
    OTHER_VERSION,
    PRODUCT,
    RARE_VERSION,
    SCARCE_SYSTEM,
    USUAL,
    VALUES,
    Population,
    Scarce,
    grow,
)
from tests.attacks.worlds import Equation, TwoWorlds, cells_of

Held = Mapping[str, str]
"""What a licence holds in a month: a value for each field."""
Life = Sequence[Sequence[Held]]
"""For each month all that a licence ran, nothing if it was not there."""
MakeWorlds = Callable[[Setting, np.random.Generator], TwoWorlds]

RELEASES = [Period("month", dt.date(2026, month, 1)) for month in range(1, MONTHS + 1)]
TOTAL: tuple[str, ...] = ()
VERSION = ("product_version",)
SYSTEM = ("os_version",)
PAIR = ("product_version", "os_version")
# Below k, and one short of it: with the target the cell has k units.
FEW, ONE_SHORT = 4, 9


def there(**values: str) -> Life:
    """The same every month; what is not given is the most usual."""
    return [[{**USUAL, **values}]] * MONTHS


ABSENT_LICENCE: Life = [[]] * MONTHS


def upgraded(month: int) -> Life:
    """The usual version, and from `month` on the other one."""
    return [*there()[:month], *there(product_version=OTHER_VERSION)[month:]]


def gone(month: int) -> Life:
    """There until `month`."""
    return [*there()[:month], *ABSENT_LICENCE[month:]]


def in_four_cells() -> Life:
    """Four versions, systems and languages: as many cells of each table as one licence may move."""
    usual = [list(VALUES[field][:4]) for field in FIELDS]
    return [[dict(zip(FIELDS, held, strict=True)) for held in zip(*usual, strict=True)]] * MONTHS


def published_tables(menu: Menu) -> list[tuple[str, ...]]:
    """The fields of every table of licences on the menu."""
    return [table.fields for table in menu.tables if table.measure == MEASURE]


def two_lives(
    setting: Setting, population: Population, tables: Sequence[tuple[str, ...]], lives: tuple[Life, Life]
) -> TwoWorlds:
    """The worlds in which the target lives the one or the other life among `population`."""
    found: dict[Cell, int] = {}
    for fields in tables:
        counts = zip(RELEASES, population.counts(fields), strict=True)
        found |= cells_of(setting, MEASURE, fields, counts, PRODUCT)
    moved = np.array([[_is_in(cell, life) for cell in found] for life in lives]).astype(int)
    return TwoWorlds(list(found), np.array(list(found.values())), moved)


def _is_in(cell: Cell, life: Life) -> bool:
    fields = cell.breakdown.split("+") if cell.breakdown else []
    return any(
        cell.values == (PRODUCT, *(held[field] for field in fields)) for held in life[RELEASES.index(cell.period)]
    )


def told_apart(lives: tuple[Life, Life], licences: int = LICENCES) -> MakeWorlds:
    """Everything on the menu that differs between two lives, among people who come, go and upgrade."""

    def make(setting: Setting, rng: np.random.Generator) -> TwoWorlds:
        return two_lives(setting, grow(rng, licences=licences), published_tables(setting.menu), lives).told_apart()

    return make


def frozen(lives: tuple[Life, Life], month: int) -> MakeWorlds:
    """The releases before and after `month` of the cells that differ, nobody else changing."""

    def make(setting: Setting, rng: np.random.Generator) -> TwoWorlds:
        worlds = two_lives(setting, grow(rng, frozen=True), published_tables(setting.menu), lives)
        differing = {_name(worlds.cells[i]) for i in np.flatnonzero(worlds.difference)}
        kept = [i for i, cell in enumerate(worlds.cells) if _name(cell) in differing]
        cells = [worlds.cells[i] for i in kept]
        return TwoWorlds(cells, worlds.others[kept], worlds.moved[:, kept], change_at=month)

    return make


def rare_version(other_life: Life) -> MakeWorlds:
    """Total and versions: the target runs a version that only a few have, or lives another life."""

    def make(setting: Setting, rng: np.random.Generator) -> TwoWorlds:
        scarce = Scarce(_holders(rng), {"product_version": RARE_VERSION})
        lives = (other_life, there(product_version=RARE_VERSION))
        worlds = two_lives(setting, grow(rng, scarce), (TOTAL, VERSION), lives)
        return _with_equations(worlds, lambda whole, part: whole.breakdown == "" and part.breakdown != "")

    return make


def scarce_pair(other_life: Life) -> MakeWorlds:
    """A version on a system that only a few run it on, beside the versions and the systems alone."""

    def make(setting: Setting, rng: np.random.Generator) -> TwoWorlds:
        pair = {"product_version": USUAL["product_version"], "os_version": SCARCE_SYSTEM}
        lives = (other_life, there(os_version=SCARCE_SYSTEM))
        worlds = two_lives(setting, grow(rng, Scarce(_holders(rng), pair)), (VERSION, SYSTEM, PAIR), lives)
        kept = [i for i, cell in enumerate(worlds.cells) if _shares_a_value(cell, lives)]
        worlds = TwoWorlds([worlds.cells[i] for i in kept], worlds.others[kept], worlds.moved[:, kept])
        return _with_equations(worlds, lambda whole, part: whole.breakdown != part.breakdown and _is_part(part, whole))

    return make


def _holders(rng: np.random.Generator) -> int:
    return int(rng.choice([FEW, ONE_SHORT]))


def _name(cell: Cell) -> tuple[str, ...]:
    return (cell.breakdown, *cell.values)


def _shares_a_value(cell: Cell, lives: tuple[Life, Life]) -> bool:
    used = {held[field] for life in lives for month in life for held in month for field in PAIR}
    return bool(used & set(cell.values))


def _is_part(part: Cell, whole: Cell) -> bool:
    return set(whole.values) < set(part.values)


def _with_equations(worlds: TwoWorlds, is_part: Callable[[Cell, Cell], bool]) -> TwoWorlds:
    """With every cell that is the sum of others of its release, where the target changes what is hidden."""
    equations = []
    for number, whole in enumerate(worlds.cells):
        parts = [i for i, c in enumerate(worlds.cells) if c.period == whole.period and c != whole and is_part(whole, c)]
        if parts:
            equations.append(Equation(number, tuple(parts)))
    return TwoWorlds(worlds.cells, worlds.others, worlds.moved, tuple(equations))
