"""The real engine with something that happens before a statement: the process is killed, or another one is quicker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from collector.store.engine import Engine


class InterruptedEngine:
    """The real engine.

    Args:
        engine: it.
        before: called with each statement before it is done.
    """

    def __init__(self, engine: Engine, before: Callable[[str], None]) -> None:
        self._engine = engine
        self._before = before
        self.name = engine.name

    @property
    def nodes(self) -> tuple[InterruptedEngine, ...]:
        others = self._engine.nodes[1:]
        return (self, *(InterruptedEngine(node, self._before) for node in others))

    def over_all(self, table: str) -> str:
        return self._engine.over_all(table)

    def command(self, statement: str, **parameters: object) -> None:
        self._before(statement)
        self._engine.command(statement, **parameters)

    def rows(self, query: str, **parameters: object) -> list[tuple]:
        self._before(query)
        return self._engine.rows(query, **parameters)

    def load(self, table: str, files: Sequence[Path], rows: int) -> None:
        self._before(f"INSERT INTO {table}")
        self._engine.load(table, files, rows)

    def unload(self, query: str, file: Path) -> int:
        self._before(query)
        return self._engine.unload(query, file)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence) -> None:
        self._before(f"INSERT INTO {table}")
        self._engine.insert(table, columns, rows)


class KilledError(Exception):
    """The process ended here."""


def dying(engine: Engine, statements: int) -> InterruptedEngine:
    """The engine in a process that is killed after so many statements."""
    left = statements

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KilledError

    return InterruptedEngine(engine, count)


def asleep(engine: Engine, statement: int, meanwhile: Callable[[], None]) -> InterruptedEngine:
    """The engine in a process that sleeps before its n-th statement, while something else happens."""
    left = statement

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            meanwhile()

    return InterruptedEngine(engine, count)


def interleaved(engine: Engine, begins: str, meanwhile: Callable[[], None]) -> InterruptedEngine:
    """The engine; before the first statement that begins so, something else happens."""
    waiting = True

    def look(statement: str) -> None:
        nonlocal waiting
        if waiting and statement.startswith(begins):
            waiting = False
            meanwhile()

    return InterruptedEngine(engine, look)
