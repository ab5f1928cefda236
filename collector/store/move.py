"""Takes everything that an embedded engine holds to a server, partition by partition.

A partition is copied into a table of its own on the server, compared there with its source by count and checksum,
and put in place by one REPLACE PARTITION on each node; so a copy that was killed is done again, and leaves nothing
behind but a table that the next run drops. A partition that is already equal is skipped: that is all that is needed to
go on where another run stopped. At the end every partition of both sides is compared, and neither may have more.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from collector.store.sharded import distribute_table, key_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collector.store.engine import EmbeddedEngine, Engine

# What an installation holds, and what tells its rows apart; FINAL where the newest of several is the row.
TABLES = {
    "private.reports": " FINAL",
    "private.counted": "",
    "private.loads": " FINAL",
    "public.menus": " FINAL",
    "public.cells": " FINAL",
    "public.releases": " FINAL",
}
_PREFIX = "moving_"
# About 250 MB of NDJSON at a time on the disk.
_ROWS_AT_A_TIME = 1_000_000


class Content(NamedTuple):
    """What a partition holds: number of rows, and the sum of their hashes."""

    rows: int
    checksum: int


class NotEmptyError(Exception):
    """The server holds something that does not come from this installation."""


class InterruptedClosingError(Exception):
    """A day was being closed when the collector was last stopped."""


class NotEqualError(Exception):
    """What arrived is not what was sent."""


@dataclass(frozen=True)
class Move:
    """From an embedded engine to a server.

    Attributes:
        source: the embedded engine; nothing else may write to it meanwhile.
        target: a server with its tables, nothing of others in it.
        scratch: a directory for one file at a time.
    """

    source: EmbeddedEngine
    target: Engine
    scratch: Path

    def contents(self) -> dict[tuple[str, str], Content]:
        """Table and partition -> what is to be moved.

        Raises:
            InterruptedClosingError: a closing has to be finished first.
            EngineError: the engine failed.
        """
        begun = self.source.rows(
            "SELECT 1 FROM system.tables WHERE database = 'private' "
            "AND (startsWith(name, 'closing_') OR startsWith(name, 'drawn_'))"
        )
        if begun:
            raise InterruptedClosingError(
                "a day was being closed when this collector stopped: `collector publish` ends it"
            )
        # Rows past their time would be dropped on arrival; merging drops them here.
        self.source.command("OPTIMIZE TABLE private.loads FINAL")
        return self._contents(self.source)

    def run(self, done: Callable[[int], None]) -> int:
        """Moves what is not there yet.

        Args:
            done: told how many rows of `contents` are done, each time some are.

        Returns:
            How many rows were moved in this run.

        Raises:
            NotEmptyError, InterruptedClosingError, NotEqualError: it cannot be moved, or is not what it was.
            EngineError, OSError: something failed; running again goes on where this stopped.
        """
        wanted, there = self.contents(), self._contents(self.target)
        if foreign := sorted(there.keys() - wanted.keys()):
            raise NotEmptyError(f"the server's {foreign[0][0]} holds rows that this installation has not")
        self._clear()
        moved = 0
        for (table, partition), content in wanted.items():
            if there.get((table, partition)) != content:
                self._move(table, partition, content)
                moved += content.rows
            done(content.rows)
        if self._contents(self.target) != wanted:
            raise NotEqualError("after the move the two sides differ; run it again while nothing else writes there")
        return moved

    def _move(self, table: str, partition: str, content: Content) -> None:
        moving = f"{table.partition('.')[0]}.{_PREFIX}{secrets.token_hex(8)}"
        nodes = self._nodes(table)
        for node in nodes:
            node.command(f"CREATE TABLE {moving} AS {table}")
        into = moving
        if len(nodes) > 1:
            distribute_table(self.target, moving, key_of(table))
            into = self.target.over_all(moving)
        pieces = 1 + content.rows // _ROWS_AT_A_TIME
        for piece in range(pieces):
            self._copy(table, partition, f"sipHash64(*) % {pieces} = {piece}", into)
        arrived = self._contents_of(self.target, into, TABLES[table]).get(partition)
        if arrived != content:
            raise NotEqualError(f"a partition of {table} did not arrive as it was sent; run it again")
        for node in nodes:
            if node.rows(f"SELECT 1 FROM {moving} LIMIT 1"):
                node.command(f"ALTER TABLE {table} REPLACE PARTITION ID '{partition}' FROM {moving}")
            else:  # the engine puts no empty partition in place
                node.command(f"ALTER TABLE {table} DROP PARTITION ID '{partition}'")
            node.command(f"DROP TABLE {moving} SYNC")
        if into != moving:
            self.target.command(f"DROP TABLE {into} SYNC")

    def _copy(self, table: str, partition: str, piece: str, into: str) -> None:
        file = self.scratch / f"{_PREFIX}{secrets.token_hex(8)}.ndjson"
        try:
            rows = self.source.unload(
                f"SELECT * FROM {table}{TABLES[table]} WHERE _partition_id = '{partition}' AND {piece}", file
            )
            self.target.load(into, [file], rows)
        finally:
            file.unlink(missing_ok=True)

    def _clear(self) -> None:
        """Drops what a killed run left."""
        for file in self.scratch.glob(f"{_PREFIX}*"):
            file.unlink()
        for node in self.target.nodes:
            found = node.rows(
                "SELECT database || '.' || name FROM system.tables WHERE database IN ('private', 'public') "
                "AND startsWith(name, {prefix:String})",
                prefix=_PREFIX,
            )
            for (name,) in found:
                node.command(f"DROP TABLE IF EXISTS {name} SYNC")

    def _nodes(self, table: str) -> tuple[Engine, ...]:
        """Where the rows of a table lie."""
        return self.target.nodes if key_of(table) else (self.target,)

    def _contents(self, engine: Engine) -> dict[tuple[str, str], Content]:
        return {
            (table, partition): content
            for table, final in TABLES.items()
            for partition, content in self._contents_of(
                engine, engine.over_all(table) if key_of(table) else table, final
            ).items()
        }

    @staticmethod
    def _contents_of(engine: Engine, table: str, final: str) -> dict[str, Content]:
        rows = engine.rows(
            f"SELECT _partition_id, count(), sum(sipHash64(*)) FROM {table}{final} "
            "GROUP BY _partition_id ORDER BY _partition_id"
        )
        return {partition: Content(int(count), int(checksum)) for partition, count, checksum in rows}
