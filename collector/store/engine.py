"""The ClickHouse engine behind one small interface: statements in, rows out, error codes for errors.

Two engines, one set of statements: the embedded one here (chDB through clickhouse-connect; one process
may open one directory), and a ClickHouse server (store/server.py). Engine errors quote values and
addresses, so their text stays here; what leaves is a code and one of a closed list of kinds.
"""

from __future__ import annotations

import json
import os
import re
from abc import ABC, abstractmethod
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

_CODE = re.compile(r"Code: (\d+)\.")
# A table of this name exists: of several who make it, one is first.
NAME_TAKEN = 57
# The row or the file itself is at fault: trying again cannot help.
# 6, 27, 38, 41, 53, 69, 70, 72, 117, 130, 131, 376: cannot parse or convert; 636: cannot detect structure.
# Not 3 and 33: that is what a server says of a body that was cut on its way.
PARSE_CODES = frozenset({6, 26, 27, 38, 41, 53, 69, 70, 72, 117, 130, 131, 376, 636})


class Failure(StrEnum):
    """How a statement failed."""

    ANSWERED = "answered"  # the engine said no
    REFUSED = "refused"  # nobody took the connection
    UNKNOWN_HOST = "unknown_host"  # the name has no address
    NO_PASSWORD = "no_password"  # noqa: S105 - its file cannot be read
    UNTRUSTED = "untrusted"  # no TLS, or a certificate that is not trusted
    TIMEOUT = "timeout"  # no answer within the time
    LOST = "lost"  # the connection ended before the answer did: it may have been done or not


class EngineError(Exception):
    """A statement that failed.

    Attributes:
        code: ClickHouse's error code; 0 if there is none.
        kind: how it failed; anything but ANSWERED means that the engine could not be asked.
    """

    def __init__(self, code: int, kind: Failure = Failure.ANSWERED) -> None:
        answered = f"the engine answered with error code {code}"
        super().__init__(answered if kind is Failure.ANSWERED else f"the store cannot be reached: {kind}")
        self.code = code
        self.kind = kind


class Engine(ABC):
    """One connection. Open a `session` for work beside it. Every method may raise EngineError.

    Attributes:
        name: of the installation that this connection is one of; letters and digits.
    """

    name: str

    @property
    def nodes(self) -> tuple[Engine, ...]:
        """A connection to each part of the store that holds reports of its own: this one, or one for each shard."""
        return (self,)

    def over_all(self, table: str) -> str:
        """The table through which `private.reports` or `private.counted` of all nodes is read and written."""
        return table

    @abstractmethod
    def session(self) -> Engine:
        """A second connection to the same engine, for statements that run beside this one's."""

    @abstractmethod
    def command(self, statement: str, **parameters: Any) -> None:  # noqa: ANN401 - any bound value
        """Runs a statement that returns nothing; `{name:Type}` in it is bound to a parameter."""

    @abstractmethod
    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """The rows of a query; `{name:Type}` in it is bound to a parameter."""

    @abstractmethod
    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Inserts rows; returns when they are on disk."""

    @abstractmethod
    def load(self, table: str, files: Sequence[Path], rows: int) -> None:
        """Loads files of whole NDJSON lines as they are; returns when their rows are on disk.

        After an error any part of them may be in the table; load them again.

        Args:
            table: where to.
            files: what to load.
            rows: how many rows the files have together.
        """

    @abstractmethod
    def unload(self, query: str, file: Path) -> int:
        """Writes the rows of a query as NDJSON into a file that is not there yet, for its owner alone.

        Returns:
            How many rows those are.

        Raises:
            EngineError, OSError: it failed; the file may be there.
        """

    @abstractmethod
    def packed(self, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]], form: str) -> bytes:
        """Rows that are at hand, in a format of the engine's; no table is read.

        Args:
            columns: name and ClickHouse type of each.
            rows: their values, ready for JSON.
            form: `Parquet`, `ArrowStream` ...
        """

    @abstractmethod
    def close(self) -> None:
        """Closes the connection."""


class EmbeddedEngine(Engine):
    """The engine inside this process. Calls on one connection are serialised."""

    # It has one installation: whoever holds its directory's lock.
    name = "embedded"

    def __init__(self, client: Client, directory: Path) -> None:
        self._client = client
        self._directory = directory

    def session(self) -> Engine:
        """See Engine."""
        return open_embedded(self._directory)

    def command(self, statement: str, **parameters: Any) -> None:  # noqa: ANN401
        """See Engine."""
        with _codes_only():
            self._client.command(statement, parameters=parameters or None)

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """See Engine."""
        with _codes_only():
            return [tuple(row) for row in self._client.query(query, parameters=parameters or None).result_rows]

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """See Engine."""
        if rows:
            with _codes_only():
                self._client.insert(table, rows, column_names=list(columns))

    def load(self, table: str, files: Sequence[Path], rows: int) -> None:  # noqa: ARG002 - confirmed is complete here
        """See Engine. One statement for each file: it costs little here, and a glob would misread odd paths."""
        for file in files:
            path = os.fspath(file).replace("\\", "\\\\").replace("'", "\\'")
            with _codes_only():
                self._client.command(f"INSERT INTO {table} FROM INFILE '{path}' FORMAT JSONEachRow")

    def unload(self, query: str, file: Path) -> int:
        """See Engine."""
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        path = os.fspath(file).replace("\\", "\\\\").replace("'", "\\'")
        with _codes_only():
            self._client.command(f"{query} INTO OUTFILE '{path}' APPEND FORMAT JSONEachRow")
        with file.open("rb") as lines:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: lines.read(1 << 20), b""))

    def packed(self, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]], form: str) -> bytes:
        """See Engine."""
        query, length = packing(columns, rows)
        with _codes_only():
            return bytes(self._client.raw_query(query, fmt=form, settings={"max_query_size": length}))

    def close(self) -> None:
        """Closes the connection; the engine ends with its last one."""
        self._client.close()


def open_embedded(directory: Path) -> EmbeddedEngine:
    """The embedded engine in `directory`, made if missing.

    Raises:
        EngineError: the directory cannot be opened.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _codes_only():
        client = clickhouse_connect.get_client(interface="chdb", path=os.fspath(directory))
        client.command("SET async_insert = 0")
    return EmbeddedEngine(client, directory)


def packing(columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> tuple[str, int]:
    """A query whose result is these rows, and how long a query must be allowed to be for it."""
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    held = lines.replace("\\", "\\\\").replace("'", "\\'")
    structure = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    # Not the table function format(): who may only read may call none.
    query = (
        f"SELECT {', '.join(f'row.{name} AS {name}' for name in columns)} FROM ("
        f"SELECT JSONExtract(arrayJoin(splitByChar('\\n', '{held}') AS lines), 'Tuple({structure})') AS row "
        "WHERE lines != [''])"
    )
    return query, 2 * len(query.encode()) + 1_000


def code_of(error: ClickHouseError) -> int:
    """The engine's code in an error of the driver; 0 if it has none."""
    found = _CODE.search(str(error))
    return int(getattr(error, "code", None) or (found[1] if found else 0))


@contextmanager
def _codes_only() -> Iterator[None]:
    try:
        yield
    except ClickHouseError as error:
        raise EngineError(code_of(error)) from None
