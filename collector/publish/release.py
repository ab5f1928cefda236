"""Releasing a period: compute the menu's tables, protect each cell, write all of them at once.

    1. draw     all cells go into a table of this try alone, `private.drawing_<random>`; its comment holds the
                rules that it was drawn by.
    2. commit   RENAME it to `private.drawn_<period>`. Of two publishers one is first; the other finds the
                name taken and goes on with what the first has drawn.
    3. publish  INSERT into `public.cells` from it: however often, the cells are the same, and read with FINAL each is
                there once.
    4. note     a row in `public.releases` says so, with the rules in the drawing's comment; from then on the
                period is never looked at again.
    5. forget   DROP `private.drawn_<period>`.

Killed anywhere and run again, a period gets the cells of its commit. Before that nothing of it was seen, and
it is drawn afresh. The release secret lives in this process for the time of one drawing and nowhere else:
nothing that could undo the noise is ever on a disk.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from collector.metrics import RELEASES
from collector.publish.measures import MEASURES
from collector.publish.protection import Protection
from collector.store.engine import NAME_TAKEN, EngineError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from collector.publish.menu import Menu, Table
    from collector.publish.periods import Period
    from collector.store.engine import Engine

DIMENSIONS = (
    "product",
    "product_version",
    "version_line",
    "source",
    "os_version",
    "instance_type",
    "language",
)
_CELL = ("grain", "period", "measure", "breakdown", *DIMENSIONS, "value", "error")


@dataclass(frozen=True)
class Rules:
    """What a release is made by.

    Attributes:
        menu: the tables and their protection.
        profile: which noise of the menu.
    """

    menu: Menu
    profile: str


def release(
    engine: Engine,
    rules: Rules,
    period: Period,
    *,
    secret: bytes,
    today: dt.date,
    complete: bool,
    rows: str = "private.counted",
    still: Callable[[], None] = lambda: None,
) -> None:
    """Releases `period`; does nothing that was done before.

    Args:
        engine: the connection.
        rules: the tables and their protection.
        period: a period whose days are all closed, or the open day so far.
        secret: random, for this release alone.
        today: the date to write down.
        complete: whether every spool had loaded past the period's days.
        rows: the table of de-duplicated reports.
        still: raises if this publisher may not commit any more.
    """
    if is_released(engine, period):
        _forget_drawn(engine, period)
        return
    if not is_begun(engine, period):
        _draw(engine, rules, period, secret, rows, complete, still)
        if is_released(engine, period):
            # Another publisher was here meanwhile, from the drawing to the end: what it released stands.
            _forget_drawn(engine, period)
            return
    drawn_by = _drawn_by(engine, period)
    if drawn_by is not None:
        engine.command(f"INSERT INTO public.cells SELECT * FROM {_drawn(period)}")
    _note(engine, period, today, drawn_by or _by(rules, complete))
    _forget_drawn(engine, period)
    RELEASES.labels(period.grain).inc()


def withhold(engine: Engine, rules: Rules, period: Period, *, today: dt.date) -> None:
    """Writes down that `period` is over and gets no cells; does nothing where it is released."""
    if not is_released(engine, period):
        _note_menu(engine, rules)
        _note(engine, period, today, _by(rules, complete=False))


def is_released(engine: Engine, period: Period) -> bool:
    """Whether all of `period` is out."""
    found = engine.rows(
        "SELECT 1 FROM public.releases WHERE grain = {grain:String} AND period = {start:Date} LIMIT 1",
        grain=period.key,
        start=period.start,
    )
    return bool(found)


def is_begun(engine: Engine, period: Period) -> bool:
    """Whether the cells of `period` are drawn, so that what they were computed from may not change."""
    held = "WHERE grain = {grain:String} AND period = {start:Date}"
    found = engine.rows(
        f"SELECT 1 FROM public.releases {held} UNION ALL SELECT 1 FROM public.cells {held} UNION ALL "
        "SELECT 1 FROM system.tables WHERE database = 'private' AND name = {drawn:String} LIMIT 1",
        grain=period.key,
        start=period.start,
        drawn=_drawn(period).removeprefix("private."),
    )
    return bool(found)


def drop_unfinished(engine: Engine, last_closed: dt.date | None) -> None:
    """Drops drawings that a killed publisher left: those before their commit, which nobody has seen, and late ones.

    Args:
        engine: the connection.
        last_closed: the open day so far is of no use any more for days up to this one.
    """
    found = engine.rows(
        "SELECT name FROM system.tables WHERE database = 'private' "
        "AND (startsWith(name, 'drawing_') OR startsWith(name, 'drawn_so_far_')) ORDER BY name"
    )
    for (name,) in found:
        if name.startswith("drawing_") or (last_closed and name[-10:] <= f"{last_closed:%Y_%m_%d}"):
            engine.command(f"DROP TABLE IF EXISTS private.{name} SYNC")


def _draw(
    engine: Engine,
    rules: Rules,
    period: Period,
    secret: bytes,
    rows: str,
    complete: bool,
    still: Callable[[], None],
) -> None:
    """Draws all cells of a period; afterwards its drawing is there, this one or another publisher's."""
    tables = rules.menu.of(period.grain)
    cells = [cell for table in tables for cell in _cells(engine, rules, table, period, secret, rows)]
    drawing = f"private.drawing_{secrets.token_hex(8)}"
    _note_menu(engine, rules)
    engine.command(f"CREATE TABLE {drawing} AS public.cells COMMENT '{json.dumps(_by(rules, complete))}'")
    engine.insert(drawing, _CELL, cells)
    still()
    try:
        engine.command(f"RENAME TABLE {drawing} TO {_drawn(period)}")
    except EngineError as error:
        if error.code != NAME_TAKEN:
            raise
        engine.command(f"DROP TABLE {drawing} SYNC")


def _by(rules: Rules, complete: bool) -> dict[str, Any]:
    """What is written down of the rules of a release: names without quotes, so that they may stand in a comment."""
    menu, noise = rules.menu, rules.menu.profiles[rules.profile]
    return {
        "menu": menu.fingerprint,
        "profile": rules.profile,
        "complete": complete,
        "code_version": version("product-telemetry"),
        "k": menu.k,
        "gate_sigmas": menu.gate_sigmas,
        **noise.model_dump(),
    }


def _drawn_by(engine: Engine, period: Period) -> dict[str, Any] | None:
    """The rules that the drawing of a period was made by, empty if not written down; None if there is no drawing."""
    name = _drawn(period).removeprefix("private.")
    found = engine.rows(
        "SELECT comment FROM system.tables WHERE database = 'private' AND name = {name:String}", name=name
    )
    return json.loads(found[0][0] or "{}") if found else None


def _note_menu(engine: Engine, rules: Rules) -> None:
    held = "SELECT 1 FROM public.menus WHERE fingerprint = {menu:String} LIMIT 1"
    if engine.rows(held, menu=rules.menu.fingerprint):
        return
    engine.insert("public.menus", ("fingerprint", "menu"), [(rules.menu.fingerprint, rules.menu.model_dump_json())])


def _note(engine: Engine, period: Period, today: dt.date, by: dict[str, Any]) -> None:
    row = {"grain": period.key, "period": period.start, "released_on": today} | by
    engine.insert("public.releases", list(row), [list(row.values())])


def _drawn(period: Period) -> str:
    return f"private.drawn_{period.key}_{period.start:%Y_%m_%d}"


def _forget_drawn(engine: Engine, period: Period) -> None:
    engine.command(f"DROP TABLE IF EXISTS {_drawn(period)} SYNC")


def _cells(engine: Engine, rules: Rules, table: Table, period: Period, secret: bytes, rows: str) -> Iterator[list[Any]]:
    """The cells of one table that pass the gate."""
    menu = rules.menu
    protection = Protection(
        k=menu.k,
        gate_sigmas=menu.gate_sigmas,
        sigma=menu.sigma(table, period.grain, rules.profile),
        secret=secret,
        context=(menu.fingerprint, table.measure, table.breakdown, period.key, period.start.isoformat()),
    )
    columns = ("product", *table.fields)
    for *cell, true_value in engine.rows(
        true_counts(menu, table, rows), first=period.start, last=period.last_day, k=menu.k, table=table.breakdown
    ):
        value = protection.release(cell, true_value)
        if value is not None:
            held = dict(zip(columns, cell, strict=True))
            dimensions = [held.get(dimension, "") for dimension in DIMENSIONS]
            yield [
                *(period.key, period.start, table.measure, table.breakdown),
                *dimensions,
                value,
                protection.error,
            ]


def true_counts(menu: Menu, table: Table, rows: str = "private.counted") -> str:
    """SQL for the cells with at least k units: each cell's fields and its true count.

    Parameters: `first` and `last` (days), `k`, `table` (the breakdown).
    """
    columns = ", ".join(("product", *table.fields))
    measure = MEASURES[table.measure]
    source = f"{rows} WHERE counted_on BETWEEN {{first:Date}} AND {{last:Date}} AND {measure.rows}"
    if measure.per_licence:
        # One licence moves at most this many cells of a table by one; which, is the same for every run.
        source = (
            f"(SELECT licence, {columns} FROM {source} GROUP BY licence, {columns} "
            f"ORDER BY sipHash64(licence, {{table:String}}, {{first:Date}}, {columns}), {columns} "
            f"LIMIT {menu.cells_per_licence} BY licence)"
        )
    return (
        f"SELECT {columns}, count() AS units FROM {source} "
        f"GROUP BY {columns} HAVING units >= {{k:UInt32}} ORDER BY {columns}"
    )
