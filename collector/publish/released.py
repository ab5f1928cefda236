"""Reading what was published. This is all that the reports room can reach."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from collector.publish.menu import Menu
from collector.publish.release import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from collector.store.engine import Engine


_SO_FAR = "so_far_"


@dataclass(frozen=True, slots=True)
class Cell:
    """One released value.

    Attributes:
        period: first day of its period.
        values: the fields it is broken down by, product first, with their values.
        value: the protected count.
        error: half the width of its 95 % interval.
    """

    period: dt.date
    values: dict[str, str]
    value: int
    error: int


class ReleasedPeriod(NamedTuple):
    """A released period: its grain and first day, the menu it was released by, and whether all was loaded."""

    grain: str
    start: dt.date
    menu: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Release:
    """One closed period, and by which rules it was released; sigma 0 where it was not yet written down."""

    grain: str
    period: dt.date
    released_on: dt.date
    complete: bool
    menu: str
    profile: str
    k: int
    gate_sigmas: int
    report_sigma: int
    licence_sigma: int
    so_far_sigma: int
    code_version: str


def told(release: Release) -> dict[str, Any]:
    """A release, ready for JSON."""
    return {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in asdict(release).items()}


class Released:
    """The published cells and releases, and nothing else of the engine."""

    def __init__(self, engine: Engine) -> None:
        self.__engine = engine
        self.__menus: dict[str, Menu | None] = {}

    def values(self, fields: Sequence[str]) -> dict[str, dict[str, list[str]]]:
        """The values of each of `fields` that are published, by product and field."""
        found: dict[str, dict[str, list[str]]] = {}
        for field in fields:
            rows = self.__engine.rows(
                f"SELECT DISTINCT product, {field} FROM public.cells WHERE product != '' AND {field} != '' ORDER BY ALL"
            )
            for product, value in rows:
                found.setdefault(product, {}).setdefault(field, []).append(value)
        return found

    def cells(
        self,
        measure: str,
        fields: Sequence[str],
        grain: str,
        first: dt.date,
        last: dt.date,
        product: str | None,
    ) -> list[Cell]:
        """The cells of one table for periods that begin between `first` and `last`, largest first in each."""
        columns = [d for d in DIMENSIONS if d == "product" or d in fields]
        rows = self.__engine.rows(
            f"""
            SELECT period, {", ".join(columns)}, value, error FROM public.cells FINAL
            WHERE grain = {{grain:String}} AND measure = {{measure:String}} AND breakdown = {{breakdown:String}}
              AND period BETWEEN {{first:Date}} AND {{last:Date}}
              AND (product = {{product:String}} OR {{product:String}} = '')
            ORDER BY period, value DESC, {", ".join(columns)}
            """,
            grain=grain,
            measure=measure,
            breakdown="+".join(fields),
            first=first,
            last=last,
            product=product or "",
        )
        return [Cell(period, dict(zip(columns, held, strict=True)), v, e) for period, *held, v, e in rows]

    def tables(
        self, measure: str, grain: str, first: dt.date, last: dt.date, product: str
    ) -> dict[tuple[str, ...], list[Cell]]:
        """The cells of all tables of one product that have any, by their fields; else as `cells`."""
        columns = ", ".join(DIMENSIONS)
        rows = self.__engine.rows(
            f"""
            SELECT breakdown, period, {columns}, value, error FROM public.cells FINAL
            WHERE grain = {{grain:String}} AND measure = {{measure:String}}
              AND period BETWEEN {{first:Date}} AND {{last:Date}} AND product = {{product:String}}
            ORDER BY period, value DESC, {columns}
            """,
            grain=grain,
            measure=measure,
            first=first,
            last=last,
            product=product,
        )
        found: dict[tuple[str, ...], list[Cell]] = {}
        for breakdown, period, *held, value, error in rows:
            fields = tuple(breakdown.split("+")) if breakdown else ()
            values = {
                name: one for name, one in zip(DIMENSIONS, held, strict=True) if name == "product" or name in fields
            }
            found.setdefault(fields, []).append(Cell(period, values, value, error))
        return found

    def so_far(self) -> tuple[str, dt.date] | None:
        """Grain and day of the latest release of a day that is still open; None if there is none."""
        found = max(((one.start, one.grain) for one in self.calendar() if one.grain.startswith(_SO_FAR)), default=None)
        return found and (found[1], found[0])

    def releases(self, most: int) -> list[Release]:
        """What was released, the latest first; of days so far only those of the open one."""
        columns = ", ".join(field.name for field in fields(Release))
        rows = self.__engine.rows(
            f"SELECT {columns} FROM public.releases FINAL "
            "WHERE NOT startsWith(grain, 'so_far_') "
            "OR period > (SELECT max(period) FROM public.releases WHERE grain = 'day') "
            "ORDER BY period DESC, grain DESC LIMIT {most:UInt32}",
            most=most,
        )
        return [Release(*row) for row in rows]

    def packed(self, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]], form: str) -> bytes:
        """Rows that are at hand in a format of the engine's; see Engine."""
        return self.__engine.packed(columns, rows, form)

    def state(self) -> str:
        """Changes whenever something is released."""
        return str(self.__engine.rows("SELECT count(), max(released_on), max(period) FROM public.releases FINAL")[0])

    def calendar(self) -> list[ReleasedPeriod]:
        """The released periods of all grains; of days so far only those of the open one."""
        rows = self.__engine.rows(
            """
            SELECT DISTINCT grain, period, menu, complete FROM public.releases
            WHERE NOT startsWith(grain, {so_far:String})
               OR period > (SELECT max(period) FROM public.releases WHERE grain = 'day')
            """,
            so_far=_SO_FAR,
        )
        return [ReleasedPeriod(*row) for row in rows]

    def incomplete(self, grain: str) -> set[dt.date]:
        """First days of released periods that lack something.

        Closed before every spool had loaded, or begun before the first day there is.
        """
        released = self.calendar()
        since = min((one.start for one in released if one.grain == "day"), default=dt.date.min)
        return {one.start for one in released if one.grain == grain and not (one.complete and one.start >= since)}

    def periods(self, grain: str, measure: str | None = None, fields: Sequence[str] = ()) -> list[dt.date]:
        """First days of the released periods of a grain, oldest first; of those that had this table on their menu."""
        found = [one for one in self.calendar() if one.grain == grain]
        menus = {one.menu for one in found} if measure else set()
        without = {menu for menu in menus if not self._had(menu, grain, measure or "", fields)}
        return sorted({one.start for one in found if one.menu not in without})

    def menu(self, fingerprint: str) -> Menu | None:
        """A menu that something was released by; None for one whose text was not kept."""
        if fingerprint not in self.__menus:
            rows = self.__engine.rows(
                "SELECT menu FROM public.menus FINAL WHERE fingerprint = {menu:String}", menu=fingerprint
            )
            self.__menus[fingerprint] = Menu.model_validate_json(rows[0][0]) if rows else None
        return self.__menus[fingerprint]

    def _had(self, fingerprint: str, grain: str, measure: str, fields: Sequence[str]) -> bool:
        """Whether a menu had a table; one that is not known any more is taken to have had it."""
        menu = self.menu(fingerprint)
        return menu is None or any(
            grain in table.grains and (table.measure, set(table.fields)) == (measure, set(fields))
            for table in menu.tables
        )
