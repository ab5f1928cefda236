"""Releasing a period: compute the menu's tables, protect each cell, write all of them at once.

One REPLACE PARTITION puts a period's cells into `public.cells`; then a row in `public.releases` says
so. A period that has either is never computed again. The release secret lives in this process for the
time of one release and nowhere else: nothing that could undo the noise is ever on a disk.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from collector.metrics import RELEASES
from collector.publish.measures import MEASURES
from collector.publish.protection import Protection

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

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
_RELEASE = ("grain", "period", "released_on", "menu", "profile", "k", "complete", "code_version")


def release(
    engine: Engine, menu: Menu, profile: str, period: Period, *, secret: bytes, today: dt.date, complete: bool
) -> None:
    """Releases `period` from `private.counted`; does nothing that was done before.

    Args:
        engine: the connection.
        menu: the tables and their protection.
        profile: which noise of the menu.
        period: a period whose days are all closed.
        secret: random, for this release alone.
        today: the date to write down.
        complete: whether every spool had loaded past the period's days.
    """
    if _is_in("public.releases", engine, period):
        return
    if not _is_in("public.cells", engine, period):
        _publish_cells(engine, menu, profile, period, secret)
    row = [
        *(period.grain, period.start, today, menu.fingerprint, profile, menu.k, complete),
        version("product-telemetry"),
    ]
    engine.insert("public.releases", _RELEASE, [row])
    RELEASES.labels(period.grain).inc()


def _publish_cells(engine: Engine, menu: Menu, profile: str, period: Period, secret: bytes) -> None:
    rows = [row for table in menu.of(period.grain) for row in _cells(engine, menu, profile, table, period, secret)]
    if not rows:
        return  # the engine refuses to put an empty partition in place
    engine.command("TRUNCATE TABLE private.cells_staging")
    engine.insert("private.cells_staging", _CELL, rows)
    partition = f"('{period.grain}', '{period.start}')"
    engine.command(f"ALTER TABLE public.cells REPLACE PARTITION {partition} FROM private.cells_staging")
    engine.command("TRUNCATE TABLE private.cells_staging")


def is_begun(engine: Engine, period: Period) -> bool:
    """Whether anything of `period` is out already, so that what it was computed from may not change."""
    return _is_in("public.releases", engine, period) or _is_in("public.cells", engine, period)


def _is_in(table: str, engine: Engine, period: Period) -> bool:
    found = engine.rows(
        f"SELECT 1 FROM {table} WHERE grain = {{grain:String}} AND period = {{start:Date}} LIMIT 1",
        grain=period.grain,
        start=period.start,
    )
    return bool(found)


def _cells(
    engine: Engine, menu: Menu, profile: str, table: Table, period: Period, secret: bytes
) -> Iterator[list[Any]]:
    """The rows of one table that pass the gate."""
    protection = Protection(
        k=menu.k,
        gate_sigmas=menu.gate_sigmas,
        sigma=menu.sigma(table, profile),
        secret=secret,
        context=(menu.fingerprint, table.measure, table.breakdown, period.grain, period.start.isoformat()),
    )
    columns = ("product", *table.fields)
    for *cell, true_value in engine.rows(
        _query(menu, table), first=period.start, last=period.last_day, k=menu.k, table=table.breakdown
    ):
        value = protection.release(cell, true_value)
        if value is not None:
            held = dict(zip(columns, cell, strict=True))
            dimensions = [held.get(dimension, "") for dimension in DIMENSIONS]
            yield [
                *(period.grain, period.start, table.measure, table.breakdown),
                *dimensions,
                value,
                protection.error,
            ]


def _query(menu: Menu, table: Table) -> str:
    """Cells with at least k units, each cell's fields and its true count."""
    columns = ", ".join(("product", *table.fields))
    measure = MEASURES[table.measure]
    source = f"private.counted WHERE counted_on BETWEEN {{first:Date}} AND {{last:Date}} AND {measure.rows}"
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
