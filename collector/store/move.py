"""Takes everything that an engine or a backup holds into another engine, partition by partition.

A partition is copied into a table of its own there, compared with its source by count and checksum,
and put in place by one REPLACE PARTITION on each node; so a copy that was killed is done again, and leaves nothing
behind but a table that the next run drops. A partition that is already equal is skipped: that is all that is needed to
go on where another run stopped. At the end every partition of both sides is compared, and neither may have more.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.store.content import ROWS_AT_A_TIME, TABLES, Content, contents, contents_of, demand_no_closing, nodes_of
from collector.store.sharded import distribute_table, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from collector.store.content import Source
    from collector.store.engine import EmbeddedEngine, Engine

MOVING = "moving_"


class NotEmptyError(Exception):
    """The target holds something that does not come from the source."""


class NotEqualError(Exception):
    """What arrived is not what was sent."""


@dataclass(frozen=True)
class EngineSource:
    """An embedded engine to move from; nothing else may write to it meanwhile."""

    engine: EmbeddedEngine

    def contents(self) -> dict[tuple[str, str], Content]:
        """See Source.

        Raises:
            InterruptedClosingError: a closing has to be finished first.
            EngineError: the engine failed.
        """
        demand_no_closing(self.engine)
        # Rows past their time would be dropped on arrival; merging drops them here.
        self.engine.command("OPTIMIZE TABLE private.loads FINAL")
        return contents(self.engine)

    def pieces(self, table: str, partition: str, scratch: Path) -> Iterator[tuple[Path, int]]:
        """See Source."""
        found = self.engine.rows(f"SELECT count() FROM {table} WHERE _partition_id = '{partition}'")
        pieces = 1 + int(found[0][0]) // ROWS_AT_A_TIME
        for piece in range(pieces):
            file = scratch / f"{MOVING}{secrets.token_hex(8)}.ndjson"
            try:
                rows = self.engine.unload(
                    f"SELECT * FROM {table}{TABLES[table]} "
                    f"WHERE _partition_id = '{partition}' AND sipHash64(*) % {pieces} = {piece}",
                    file,
                )
                yield file, rows
            finally:
                file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Move:
    """From a source to an engine.

    Attributes:
        source: what is moved.
        target: an engine with its tables, nothing of others in it.
        scratch: a directory for one file at a time.
    """

    source: Source
    target: Engine
    scratch: Path

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
        wanted, there = self.source.contents(), contents(self.target)
        if foreign := sorted(there.keys() - wanted.keys()):
            raise NotEmptyError(f"the {foreign[0][0]} there holds rows that do not come from here")
        self._clear()
        moved = 0
        for (table, partition), content in wanted.items():
            if there.get((table, partition)) != content:
                self._move(table, partition, content)
                moved += content.rows
            done(content.rows)
        if contents(self.target) != wanted:
            raise NotEqualError("after the move the two sides differ; run it again while nothing else writes there")
        return moved

    def _move(self, table: str, partition: str, content: Content) -> None:
        moving = f"{table.partition('.')[0]}.{MOVING}{secrets.token_hex(8)}"
        nodes = nodes_of(self.target, table)
        for node in nodes:
            node.command(f"CREATE TABLE {moving} AS {table}")
        into = moving
        if len(nodes) > 1:
            distribute_table(self.target, moving, key_of(table))
            into = self.target.over_all(moving)
        for file, rows in self.source.pieces(table, partition, self.scratch):
            self.target.load(into, [file], rows)
        arrived = contents_of(self.target, into, TABLES[table]).get(partition)
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

    def _clear(self) -> None:
        """Drops what a killed run left."""
        for file in self.scratch.glob(f"{MOVING}*"):
            file.unlink()
        for node in self.target.nodes:
            found = node.rows(
                "SELECT database || '.' || name FROM system.tables WHERE database IN ('private', 'public') "
                "AND startsWith(name, {prefix:String})",
                prefix=MOVING,
            )
            for (name,) in found:
                node.command(f"DROP TABLE IF EXISTS {name} SYNC")
