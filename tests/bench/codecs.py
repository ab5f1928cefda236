"""Bytes on disk for each private report and each published cell: `python -m tests.bench.codecs [--quick]`.

Tables are filled as the collector fills them: a day of made-up reports that ends its week and its month is closed by
the real publisher, and its cells are repeated as those of a year would be. After OPTIMIZE each column's bytes are
read from the engine. Then each column is stored again in the order of its table, with other codecs and types: bytes,
and the engine's CPU for one INSERT of it.
"""

from __future__ import annotations

import datetime as dt
import resource
import tempfile
from pathlib import Path
from typing import Any

from collector.configuration import read_configuration
from collector.settings import Settings
from collector.store.engine import Engine, open_embedded
from collector.store.migrate import migrate
from tests.bench import database
from tests.publishers import publisher_on

DAY = dt.date(2026, 5, 31)  # ends its week and its month
TABLES = {
    "private.reports": "private report, received",
    "private.counted": "private report, counted",
    "public.cells": "published cell",
}
_WORD = ("LowCardinality(String)", ["LZ4", "ZSTD(1)", "ZSTD(3)", "ZSTD(9)"])
_PLAIN_WORD = ("String", ["LZ4", "ZSTD(1)"])
_NUMBER = ["LZ4", "ZSTD(1)", "T64, LZ4", "T64, ZSTD(1)", "Delta, ZSTD(1)"]
# Table and column -> types and codecs to store it with; LZ4 is what the engine takes by itself.
TRIALS: dict[tuple[str, str], list[tuple[str, list[str]]]] = {
    ("private.reports", "report_id"): [("UUID", ["LZ4", "NONE", "ZSTD(1)"])],
    ("private.reports", "product"): [_WORD, _PLAIN_WORD],
    ("private.reports", "product_version"): [_WORD, _PLAIN_WORD],
    ("private.reports", "language"): [_WORD, _PLAIN_WORD],
    ("private.reports", "licence"): [("UUID", ["LZ4", "ZSTD(1)", "ZSTD(3)"])],
    ("private.counted", "report_id"): [("UUID", ["LZ4", "NONE", "ZSTD(1)"])],
    ("private.counted", "counted_on"): [("Date", ["LZ4", "ZSTD(1)", "Delta, LZ4", "DoubleDelta", "T64, LZ4"])],
    ("private.counted", "source"): [_WORD],
    ("private.counted", "os_version"): [_WORD, _PLAIN_WORD],
    ("private.counted", "instance_type"): [_WORD, _PLAIN_WORD],
    ("private.counted", "language"): [_WORD, _PLAIN_WORD],
    ("private.counted", "licence"): [("UUID", ["LZ4", "ZSTD(1)", "ZSTD(3)"])],
    ("public.cells", "period"): [("Date", ["LZ4", "ZSTD(1)", "Delta, LZ4", "DoubleDelta", "Delta, ZSTD(1)"])],
    ("public.cells", "product_version"): [_WORD],
    ("public.cells", "value"): [("UInt64", _NUMBER), ("UInt32", ["LZ4", "ZSTD(1)"])],
    ("public.cells", "error"): [("UInt32", _NUMBER)],
}
ORDERS = {
    "as it is": "report, product, product_version, os_version, instance_type, language",
    "widest last": "report, source, os_version, language, instance_type, product, product_version",
    "by id": "report_id",
}


def measure(quick: bool) -> database.Measured:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as directory:
        engine = open_embedded(Path(directory) / "engine")
        try:
            _fill(engine, 300_000 if quick else 5_000_000)
            for table, what in TABLES.items():
                rows += _sizes(engine, table, what)
            for (table, column), types in TRIALS.items():
                for kind, codecs in types:
                    rows += [_trial(engine, table, column, kind, codec) for codec in codecs]
            rows += [_order(engine, name, order) for name, order in ORDERS.items()]
        finally:
            engine.close()
    return {"rows": rows, "promises": []}


def _fill(engine: Engine, reports: int) -> None:
    migrate(engine, DAY)
    database.receive(engine, DAY, reports)
    publisher_on(engine, read_configuration(Settings(data=Path("unused")))).publish(DAY + dt.timedelta(days=1), DAY)
    engine.command(
        """
        INSERT INTO public.cells
        SELECT * REPLACE (period - n AS period, value + rand() % (1 + intDiv(value, 10)) AS value)
        FROM public.cells ARRAY JOIN range(1, 365) AS n
        WHERE multiIf(grain = 'day', true, grain = 'week', n % 7 = 0, n % 30 = 0)
        """
    )
    database.receive(engine, DAY + dt.timedelta(days=1), reports)
    for table in TABLES:
        engine.command(f"OPTIMIZE TABLE {table} FINAL")


def _sizes(engine: Engine, table: str, what: str) -> list[dict[str, Any]]:
    held, files, marks = _bytes(engine, table)
    columns = engine.rows(
        "SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns WHERE active "
        "AND concat(database, '.', table) = {table:String} GROUP BY column ORDER BY bytes DESC",
        table=table,
    )
    count = f"{held:,} rows; {marks / held:.3g} bytes of it index and marks"
    return [
        database.row(f"{what}: on disk", [files / held], "bytes", count),
        *(database.row(f"{what}: {column}", [size / held], "bytes") for column, size in columns),
    ]


def _trial(engine: Engine, table: str, column: str, kind: str, codec: str) -> dict[str, Any]:
    """One column in the order of its table, stored in another way."""
    engine.command("DROP TABLE IF EXISTS private.trial SYNC")
    engine.command(
        f"CREATE TABLE private.trial ({column} {kind} CODEC({codec})) ENGINE = MergeTree ORDER BY tuple() "
        "SETTINGS min_bytes_for_wide_part = 0"
    )
    before = _cpu()
    engine.command(f"INSERT INTO private.trial SELECT {column} FROM {table} SETTINGS max_threads = 1")
    spent = _cpu() - before
    engine.command("OPTIMIZE TABLE private.trial FINAL")
    held, files, marks = _bytes(engine, "private.trial")
    name = f"trial, {table.partition('.')[2]}.{column} {kind.replace('LowCardinality(String)', 'words')} {codec}"
    return database.row(name, [(files - marks) / held], "bytes", f"{spent / held * 1e9:,.0f} ns of CPU to insert a row")


def _order(engine: Engine, name: str, order: str) -> dict[str, Any]:
    """The counted reports of a day in another order, inserted in the order in which a closing reads them."""
    engine.command("DROP TABLE IF EXISTS private.trial SYNC")
    engine.command(
        f"CREATE TABLE private.trial AS private.counted ENGINE = MergeTree ORDER BY ({order}) "
        "SETTINGS min_bytes_for_wide_part = 0"
    )
    before = _cpu()
    engine.command("INSERT INTO private.trial SELECT * FROM private.counted ORDER BY report_id")
    spent = _cpu() - before
    engine.command("OPTIMIZE TABLE private.trial FINAL")
    held, files, _ = _bytes(engine, "private.trial")
    note = f"{spent / held * 1e9:,.0f} ns of CPU to insert a row"
    return database.row(f"trial, counted ordered {name}", [files / held], "bytes", note)


def _bytes(engine: Engine, table: str) -> tuple[int, int, int]:
    """Rows, bytes on disk, and bytes of those that are no column's data."""
    return engine.rows(
        "SELECT sum(rows), sum(bytes_on_disk), sum(bytes_on_disk) - sum(data_compressed_bytes) FROM system.parts "
        "WHERE active AND concat(database, '.', table) = {table:String}",
        table=table,
    )[0]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    database.main(measure)
