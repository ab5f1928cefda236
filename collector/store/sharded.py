"""Several ClickHouse servers that share the reports: the cluster `telemetry` of their configuration.

Each shard holds the reports whose id falls to it, so the same report sent twice lands on one shard, where
the tables of a single server and their statements remove the second. All shards together are read and written
through Distributed tables on the first one, the entry. What is small lies on the entry alone: leases, loads,
nodes, and everything published.

Statements that are for one shard go to its own address: DDL and moves of partitions do not pass through a
Distributed table, and each of them is safe to repeat where one shard did it and another one was away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.store.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

CLUSTER = "telemetry"
# Table of one node -> the table that stands for it on all nodes, and what decides the shard of a row.
_OVER_ALL = {
    "private.reports": ("private.all_reports", "sipHash64(report_id)"),
    "private.counted": ("private.all_counted", "sipHash64(report_id)"),
}


class ShardedEngine(Engine):
    """A connection to every shard.

    Args:
        shards: one connection each, the entry first; the order is that of `remote_servers`.
    """

    def __init__(self, shards: Sequence[Engine]) -> None:
        self._shards = tuple(shards)
        self._entry = self._shards[0]
        self.name = self._entry.name

    @property
    def nodes(self) -> tuple[Engine, ...]:
        """See Engine."""
        return self._shards

    def over_all(self, table: str) -> str:
        """See Engine. A table of another name stands for itself with `_of_all` behind it, see `distributed`."""
        return _OVER_ALL[table][0] if table in _OVER_ALL else f"{table}_of_all"

    def session(self) -> Engine:
        """See Engine."""
        return ShardedEngine([shard.session() for shard in self._shards])

    def command(self, statement: str, **parameters: Any) -> None:  # noqa: ANN401
        """See Engine."""
        self._entry.command(statement, **parameters)

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """See Engine."""
        return self._entry.rows(query, **parameters)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """See Engine."""
        self._entry.insert(table, columns, rows)

    def load(self, table: str, files: Sequence[Path], rows: int) -> None:
        """See Engine."""
        self._entry.load(table, files, rows)

    def unload(self, query: str, file: Path) -> int:
        """See Engine."""
        return self._entry.unload(query, file)

    def packed(self, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]], form: str) -> bytes:
        """See Engine."""
        return self._entry.packed(columns, rows, form)

    def close(self) -> None:
        """See Engine."""
        for shard in self._shards:
            shard.close()


def key_of(table: str) -> str:
    """What decides the shard of a table's rows; empty where the table lies on the entry alone."""
    return _OVER_ALL[table][1] if table in _OVER_ALL else ""


def distribute(engine: Engine) -> None:
    """Makes the tables over all nodes as the nodes' own tables are now; nothing where one node is the store.

    Raises:
        EngineError: the engine failed.
    """
    for table, (_, key) in _OVER_ALL.items():
        distribute_table(engine, table, key)


def stop_distributing(engine: Engine) -> None:
    """Drops them: while the nodes' own tables change, they are not there.

    Raises:
        EngineError: the engine failed.
    """
    for table in _OVER_ALL:
        if engine.over_all(table) != table:
            engine.command(f"DROP TABLE IF EXISTS {engine.over_all(table)} SYNC")


def is_distributing(engine: Engine) -> bool:
    """Whether the tables over all nodes are there, or none is needed.

    Raises:
        EngineError: the engine failed.
    """
    found = {name for (name,) in engine.rows("SELECT name FROM system.tables WHERE database = 'private'")}
    needed = {engine.over_all(table).removeprefix("private.") for table in _OVER_ALL if engine.over_all(table) != table}
    return needed <= found


def distribute_table(engine: Engine, table: str, key: str = "rand()") -> None:
    """Makes the table over all nodes that stands for `table`.

    Raises:
        EngineError: the engine failed.
    """
    if statement := _distributing(engine, table, key):
        engine.command(statement)


def distributing(engine: Engine) -> list[str]:
    """The statements of `distribute`, on the entry."""
    found = (_distributing(engine, table, key) for table, (_, key) in _OVER_ALL.items())
    return [statement for statement in found if statement]


def _distributing(engine: Engine, table: str, key: str) -> str:
    over_all = engine.over_all(table)
    database, name = table.split(".")
    making = f"CREATE TABLE IF NOT EXISTS {over_all} AS {table} "
    return f"{making}ENGINE = Distributed('{CLUSTER}', '{database}', '{name}', {key})" if over_all != table else ""


def shards_of_the_cluster(engine: Engine) -> int:
    """How many shards the entry's own configuration gives the cluster; 0 where it knows none of that name.

    Raises:
        EngineError: the engine failed.
    """
    found = engine.rows(
        "SELECT count(DISTINCT shard_num) FROM system.clusters WHERE cluster = {cluster:String}", cluster=CLUSTER
    )
    return int(found[0][0])
