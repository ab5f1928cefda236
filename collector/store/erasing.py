"""Takes the rows of pseudonyms out of every table of `private`, and what the engine keeps of them beside the tables.

The pseudonyms stand in a table of their own, `private.forgetting`, on each node while this runs, so that none is in the
text of a statement: the engine keeps a DELETE's text in a file, and a server may log it. A DELETE leaves the old parts
where they are, for minutes or longer; they are removed here, and it is looked whether they are gone.

Each step is safe to repeat after a kill at any moment. The table of pseudonyms is made first and dropped last: a DELETE
that is under way reads it. Rows that are loaded meanwhile are not lost: a DELETE touches what was there when it began.
Nobody may close days or take a backup meanwhile, see `still`; what such work left behind when it was killed is dropped
here, because it holds rows, too.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from collector.store.engine import Engine

FORGETTING = "private.forgetting"
_FORGOTTEN = f"licence IN (SELECT licence FROM {FORGETTING})"
# Of work that was killed; nobody reads them any more.
_LEFT_OVER = ("counting_", "backing_", "moving_", "blanking_")
_PURGE_SECONDS = 60
_LOOK_EVERY_SECONDS = 0.1


class OldPartsError(Exception):
    """The engine still keeps old parts, because something reads them; repeat it later."""

    def __init__(self) -> None:
        super().__init__("the engine still keeps old parts of a table, because a statement reads them")


class Erased(NamedTuple):
    """What was erased.

    Attributes:
        rows: of all tables; a report that was sent twice is one.
        detached: parts that the engine has put aside as broken; nothing in them can be read or erased by a statement.
    """

    rows: int
    detached: int


def erase(engine: Engine, pseudonyms: Iterable[str], still: Callable[[], None]) -> Erased:
    """Erases the rows of these pseudonyms on every node.

    Args:
        engine: a connection of its owner's.
        pseudonyms: in UUID notation.
        still: raises if days may be closed by somebody else meanwhile.

    Raises:
        OldPartsError: the rows are gone from the tables, and their old parts are not; repeat it.
        EngineError: the engine failed; repeat it.
    """
    rows = [[uuid.UUID(one)] for one in pseudonyms]
    done = [_erase_on(node, rows, still) for node in engine.nodes]
    return Erased(sum(one.rows for one in done), sum(one.detached for one in done))


def tables_of_reports(node: Engine) -> list[str]:
    """The tables with a row for each report: received, being closed, counted.

    Raises:
        EngineError: the engine failed.
    """
    return [
        f"private.{name}" for name in _names(node, "name IN ('reports', 'counted') OR startsWith(name, 'closing_')")
    ]


def drop_left_over(node: Engine, still: Callable[[], None]) -> None:
    """Drops copies of rows that killed work has left.

    Raises:
        EngineError: the engine failed.
    """
    for name in _names(node, " OR ".join(f"startsWith(name, '{prefix}')" for prefix in _LEFT_OVER)):
        still()
        node.command(f"DROP TABLE IF EXISTS private.{name} SYNC")


def remove_old_parts(node: Engine, table: str) -> None:
    """Removes the parts that the engine has replaced by others, from the disk, and sees that they are gone.

    Raises:
        OldPartsError: they are not, after a minute.
        EngineError: the engine failed.
    """
    old = _old_parts(node, table)
    deadline = time.monotonic() + _PURGE_SECONDS
    node.command(f"ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 0")
    while True:
        # Dropping a partition, even one that is not there, clears away at once what else a thread does when idle.
        node.command(f"ALTER TABLE {table} DROP PARTITION ID 'none'")
        if not old & _old_parts(node, table):
            break
        if time.monotonic() > deadline:
            raise OldPartsError
        time.sleep(_LOOK_EVERY_SECONDS)
    # They are kept for a reason: a power cut can take away a part that was merged a moment ago.
    node.command(f"ALTER TABLE {table} RESET SETTING old_parts_lifetime")


def _erase_on(node: Engine, pseudonyms: Sequence[Sequence[uuid.UUID]], still: Callable[[], None]) -> Erased:
    still()
    node.command(f"CREATE TABLE IF NOT EXISTS {FORGETTING} (licence UUID) ENGINE = MergeTree ORDER BY licence")
    node.insert(FORGETTING, ("licence",), pseudonyms)
    drop_left_over(node, still)
    erased = 0
    tables = tables_of_reports(node)
    for table in tables:
        # Without FINAL: of a report that was sent twice, one row may be of the licence and the other of none.
        held = node.rows(
            f"SELECT _partition_id, uniqExact(report_id) FROM {table} WHERE {_FORGOTTEN} GROUP BY ALL ORDER BY ALL"
        )
        for partition, rows in held:
            still()
            delete = f"DELETE IN PARTITION ID '{partition}' WHERE {_FORGOTTEN}"
            node.command(f"ALTER TABLE {table} {delete} SETTINGS mutations_sync = 2")
            erased += int(rows)
        still()
        remove_old_parts(node, table)  # also where nothing was held now: a run before this one may have been killed
    detached = _detached(node, tables)
    node.command(f"DROP TABLE IF EXISTS {FORGETTING} SYNC")
    return Erased(erased, detached)


def _names(node: Engine, which: str) -> list[str]:
    found = node.rows(f"SELECT name FROM system.tables WHERE database = 'private' AND ({which}) ORDER BY name")
    return [name for (name,) in found]


def _old_parts(node: Engine, table: str) -> set[str]:
    found = node.rows(
        "SELECT name FROM system.parts WHERE database = 'private' AND table = {table:String} AND NOT active",
        table=table.removeprefix("private."),
    )
    return {name for (name,) in found}


def _detached(node: Engine, tables: list[str]) -> int:
    found = node.rows("SELECT table FROM system.detached_parts WHERE database = 'private'")
    return sum(1 for (table,) in found if f"private.{table}" in tables)
