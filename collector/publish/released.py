"""Reading what was published. This is all that the reports room can reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.publish.release import DIMENSIONS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from collector.publish.periods import Grain
    from collector.store.engine import Engine


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


class Released:
    """The published cells and releases, and nothing else of the engine."""

    def __init__(self, engine: Engine) -> None:
        self.__engine = engine

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
        grain: Grain,
        first: dt.date,
        last: dt.date,
        product: str | None,
    ) -> list[Cell]:
        """The cells of one table for periods that begin between `first` and `last`, largest first in each."""
        columns = [d for d in DIMENSIONS if d == "product" or d in fields]
        rows = self.__engine.rows(
            f"""
            SELECT period, {", ".join(columns)}, value, error FROM public.cells
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

    def incomplete(self, grain: Grain) -> set[dt.date]:
        """First days of released periods that lack something.

        Closed before every spool had loaded, or begun before the first day there is.
        """
        rows = self.__engine.rows(
            """
            SELECT DISTINCT period FROM public.releases
            WHERE grain = {grain:String}
              AND (NOT complete OR period < (SELECT min(period) FROM public.releases WHERE grain = 'day'))
            """,
            grain=grain,
        )
        return {period for (period,) in rows}

    def periods(self, grain: Grain) -> list[dt.date]:
        """First days of the released periods of a grain, oldest first."""
        rows = self.__engine.rows(
            "SELECT DISTINCT period FROM public.releases WHERE grain = {grain:String} ORDER BY period",
            grain=grain,
        )
        return [period for (period,) in rows]
