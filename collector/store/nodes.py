"""The collectors that take reports into one store, each known by its name, and how far each has handed them over.

A collector says of itself, every few seconds, up to which day nothing that it received waits in its spool. The
publisher closes a day when all have said so of it. Who ends with an empty spool says that it leaves; who ends
otherwise is waited for, until it is back or an operator says that it will not be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import datetime as dt

    from collector.store.engine import Engine

_COLUMNS = ("node", "loaded_past", "waiting", "has_left")


class Node(NamedTuple):
    """What a collector last said of itself.

    Attributes:
        name: its host and a part of its installation's name.
        loaded_past: nothing that it received on this day or before waits any more.
        waiting: segments in its spool, the open one too.
        has_left: whether it ended with an empty spool, or was given up.
        silent_seconds: how long ago it said so.
    """

    name: str
    loaded_past: dt.date
    waiting: int
    has_left: bool
    silent_seconds: int

    def shown(self) -> dict[str, object]:
        """The same, ready for JSON."""
        return self._asdict() | {"loaded_past": self.loaded_past.isoformat()}


def note(engine: Engine, name: str, loaded_past: dt.date, waiting: int, *, has_left: bool = False) -> None:
    """Says for the collector `name` how far it is.

    Raises:
        EngineError: the engine failed.
    """
    engine.insert("private.nodes", _COLUMNS, [[name, loaded_past, waiting, has_left]])


def all_nodes(engine: Engine) -> list[Node]:
    """Every collector that ever took reports into this store, by name.

    Raises:
        EngineError: the engine failed.
    """
    rows = engine.rows(f"SELECT {', '.join(_COLUMNS)}, now() - at FROM private.nodes FINAL ORDER BY node")
    return [Node(name, past, int(waiting), bool(left), int(silent)) for name, past, waiting, left, silent in rows]


def forget(engine: Engine, name: str) -> None:
    """Gives a collector up: no day waits for it any more, until it says something again.

    Raises:
        EngineError: the engine failed.
    """
    for node in all_nodes(engine):
        if node.name == name:
            note(engine, name, node.loaded_past, node.waiting, has_left=True)


def lagging(engine: Engine, day: dt.date) -> list[Node]:
    """The collectors that may still hold reports of `day` or before.

    Raises:
        EngineError: the engine failed.
    """
    return [node for node in all_nodes(engine) if not node.has_left and node.loaded_past < day]
