"""Games about one boot report: day against week against month, and the open day so far."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from collector.publish.periods import SO_FAR_HOURS, Period, days, period_of
from tests.attacks.mechanism import Cell, Setting
from tests.attacks.worlds import Equation, TwoWorlds, cells_of

MEASURE = "boots"
PRODUCT = "wordpress"
HELD = {
    "product_version": "6.9.4",
    "version_line": "6.9",
    "source": "cloud",
    "os_version": "debian-12",
    "instance_type": "t3.micro",
    "language": "en-US",
}
VERSION = ("product_version",)
FIRST, LAST = dt.date(2026, 10, 1), dt.date(2026, 10, 31)
DAY = dt.date(2026, 10, 14)
# Share of a day's boots until each hour.
_UNTIL = dict(zip(SO_FAR_HOURS, (0.25, 0.5, 0.75), strict=True))
# One short of k boots on the target's day, in a version of which other days are shown.
_HIDDEN, _SHOWN_DAILY = 9, 60
# A version of which even the open day is shown from its first moment on.
_BUSY_DAILY = 2000


def quiet_day(setting: Setting, rng: np.random.Generator) -> TwoWorlds:
    """All cells of one version; on the target's day it has one boot less than k, or k with the target."""
    boots = {day: int(n) for day, n in zip(_days(), rng.poisson(_SHOWN_DAILY, len(_days())), strict=True)}
    boots[DAY] = _HIDDEN
    return _worlds(setting, [VERSION], boots)


def busy_day(setting: Setting, rng: np.random.Generator) -> TwoWorlds:
    """All cells of one version, the open day's moments too."""
    return _worlds(setting, [VERSION], _busy(rng))


def everything(setting: Setting, rng: np.random.Generator) -> TwoWorlds:
    """Every cell that one report moves."""
    tables = [table.fields for table in setting.menu.tables if table.measure == MEASURE]
    return _worlds(setting, tables, _busy(rng)).told_apart()


def _busy(rng: np.random.Generator) -> dict[dt.date, int]:
    return {day: int(n) for day, n in zip(_days(), rng.poisson(_BUSY_DAILY, len(_days())), strict=True)}


def _days() -> list[dt.date]:
    """The month, and the days of its first and last week that lie outside."""
    return list(days(period_of(FIRST, "week").start, period_of(LAST, "week").last_day))


def _periods() -> list[Period]:
    moments = [Period("so_far", DAY, hour) for hour in SO_FAR_HOURS]
    weeks = sorted({period_of(day, "week") for day in _days()})
    return [*moments, *(Period("day", day) for day in _days()), *weeks, period_of(FIRST, "month")]


def _worlds(setting: Setting, tables: Sequence[tuple[str, ...]], boots: dict[dt.date, int]) -> TwoWorlds:
    found: dict[Cell, int] = {}
    for fields in tables:
        values = tuple(HELD[field] for field in fields)
        counts = [(period, {values: _count(boots, period)}) for period in _periods()]
        found |= cells_of(setting, MEASURE, fields, counts, PRODUCT)
    moved = np.array([[0] * len(found), [int(cell.period.start <= DAY <= cell.period.last_day) for cell in found]])
    cells = list(found)
    return TwoWorlds(cells, np.array(list(found.values())), moved, tuple(_equations(cells)))


def _count(boots: dict[dt.date, int], period: Period) -> int:
    whole = sum(boots[day] for day in days(period.start, period.last_day))
    return int(whole * _UNTIL[period.hour]) if period.grain == "so_far" else whole


def _equations(cells: Sequence[Cell]) -> list[Equation]:
    """A week is its days; the month is its days, and its whole weeks with the days beside them."""
    found = []
    for number, whole in enumerate(cells):
        if whole.period.grain not in ("week", "month"):
            continue
        inside = [i for i, cell in enumerate(cells) if _is_within(cell.period, whole.period)]
        of_days = [i for i in inside if cells[i].period.grain == "day"]
        of_weeks = [i for i in inside if cells[i].period.grain == "week" and i != number]
        found.append(Equation(number, tuple(of_days)))
        if of_weeks:
            beside = [i for i in of_days if not any(_is_within(cells[i].period, cells[w].period) for w in of_weeks)]
            found.append(Equation(number, (*of_weeks, *beside)))
    return found


def _is_within(period: Period, whole: Period) -> bool:
    return whole.start <= period.start and period.last_day <= whole.last_day
