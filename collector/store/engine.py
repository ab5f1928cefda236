"""The ClickHouse engine behind one small interface: statements in, rows out, error codes for errors.

The embedded engine is chDB through clickhouse-connect: one process may open one directory. Engine
errors quote values, so their text stays here; what leaves is the code.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

_CODE = re.compile(r"Code: (\d+)\.")
# The row or the file itself is at fault: trying again cannot help.
# 6, 27, 38, 41, 53, 69, 70, 72, 117, 130, 131, 376: cannot parse or convert; 636: cannot detect structure.
PARSE_CODES = frozenset({6, 26, 27, 38, 41, 53, 69, 70, 72, 117, 130, 131, 376, 636})


class EngineError(Exception):
    """A statement that failed.

    Attributes:
        code: ClickHouse's error code; 0 if the engine gave none.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"the engine answered with error code {code}")
        self.code = code


class Engine:
    """One connection. Its calls are serialised; open a `session` for work beside it."""

    def __init__(self, client: Client, directory: Path) -> None:
        self._client = client
        self._directory = directory

    def session(self) -> Engine:
        """A second connection to the same engine, for statements that run beside this one's."""
        return open_embedded(self._directory)

    def command(self, statement: str, **parameters: Any) -> None:  # noqa: ANN401 - any bound value
        """Runs a statement that returns nothing; `{name:Type}` in it is bound to a parameter."""
        with _codes_only():
            self._client.command(statement, parameters=parameters or None)

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """The rows of a query; `{name:Type}` in it is bound to a parameter."""
        with _codes_only():
            return [tuple(row) for row in self._client.query(query, parameters=parameters or None).result_rows]

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Inserts rows; returns when they are on disk."""
        if rows:
            with _codes_only():
                self._client.insert(table, rows, column_names=list(columns))

    def load(self, table: str, ndjson: Path) -> None:
        """Loads a file of NDJSON as it is; returns when its rows are on disk. All of them or none."""
        path = os.fspath(ndjson).replace("\\", "\\\\").replace("'", "\\'")
        with _codes_only():
            self._client.command(f"INSERT INTO {table} FROM INFILE '{path}' FORMAT JSONEachRow")

    def close(self) -> None:
        """Closes the connection; the engine ends with its last one."""
        self._client.close()


def open_embedded(directory: Path) -> Engine:
    """The embedded engine in `directory`, made if missing.

    Raises:
        EngineError: the directory cannot be opened.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _codes_only():
        client = clickhouse_connect.get_client(interface="chdb", path=os.fspath(directory))
        client.command("SET async_insert = 0")
    return Engine(client, directory)


@contextmanager
def _codes_only() -> Iterator[None]:
    try:
        yield
    except ClickHouseError as error:
        code = getattr(error, "code", None)
        found = _CODE.search(str(error))
        raise EngineError(code or (int(found[1]) if found else 0)) from None
