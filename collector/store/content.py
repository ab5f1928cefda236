"""What an installation holds, partition by partition, and by what two of them are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from collector.store.sharded import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector.store.engine import Engine

# What tells a table's rows apart; FINAL where the newest of several is the row.
TABLES = {
    "private.reports": " FINAL",
    "private.counted": "",
    "private.loads": " FINAL",
    "public.menus": " FINAL",
    "public.cells": " FINAL",
    "public.releases": " FINAL",
}
# About 250 MB of NDJSON at a time on the disk.
ROWS_AT_A_TIME = 1_000_000
_CHECKSUMS = 1 << 64


class Content(NamedTuple):
    """What a partition holds: number of rows, and the sum of their hashes."""

    rows: int
    checksum: int

    def with_more(self, other: Content) -> Content:
        """What this and another piece of the same partition hold together."""
        return Content(self.rows + other.rows, (self.checksum + other.checksum) % _CHECKSUMS)


class InterruptedClosingError(Exception):
    """A day was being closed when the collector was last stopped."""


class Source(Protocol):
    """Where rows come from: another engine, or a backup."""

    def contents(self) -> dict[tuple[str, str], Content]:
        """Table and partition -> what is there."""
        ...

    def pieces(self, table: str, partition: str, scratch: Path) -> Iterator[tuple[Path, int]]:
        """The rows of a partition: NDJSON files, each there until the next is asked for, and their numbers of rows."""
        ...


def contents_of(engine: Engine, table: str, final: str, where: str = "1") -> dict[str, Content]:
    """Partition -> what `table` holds of it.

    Args:
        engine: the connection.
        table: as it is read.
        final: see TABLES.
        where: which rows of it.

    Raises:
        EngineError: the engine failed.
    """
    rows = engine.rows(
        f"SELECT _partition_id, count(), sum(sipHash64(*)) FROM {table}{final} WHERE {where} "
        "GROUP BY _partition_id ORDER BY _partition_id"
    )
    return {partition: Content(int(count), int(checksum)) for partition, count, checksum in rows}


def contents(engine: Engine) -> dict[tuple[str, str], Content]:
    """Table and partition -> what a whole store holds of it, over all its nodes.

    Raises:
        EngineError: the engine failed.
    """
    return {
        (table, partition): content
        for table, final in TABLES.items()
        for partition, content in contents_of(engine, engine.over_all(table) if key_of(table) else table, final).items()
    }


def nodes_of(engine: Engine, table: str) -> tuple[Engine, ...]:
    """Where the rows of a table lie."""
    return engine.nodes if key_of(table) else engine.nodes[:1]


def demand_no_closing(engine: Engine) -> None:
    """Sees that no day is half closed: its rows would be in tables that TABLES does not name.

    Raises:
        InterruptedClosingError: one is.
        EngineError: the engine failed.
    """
    for node in engine.nodes:
        if node.rows(
            "SELECT 1 FROM system.tables WHERE database = 'private' "
            "AND (startsWith(name, 'closing_') OR startsWith(name, 'drawn_'))"
        ):
            raise InterruptedClosingError(
                "a day was being closed when this collector stopped: `collector publish` ends it"
            )
