"""A ClickHouse server over HTTP.

Invariants:
    1. Every statement is sent once. The driver and its HTTP library would repeat some after a lost
       connection, and a repeated insert that was done already makes its rows twice.
    2. A load counts as done only when the server's answer says that it wrote all its rows: an answer
       that was cut, or that stands for a body that was cut, confirms nothing.
    3. A statement without an answer may still be running. Before this session writes again it ends
       what it, or a process before it, left behind; sessions are known by their names.
    4. What leaves is an EngineError. No address, user, password or text of the server is logged.

Nothing is connected before the first statement, so that a server may be away when the collector starts.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import threading
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import lz4.frame
from clickhouse_connect import common
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager_options
from urllib3 import PoolManager
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from collector.ingest.owned_files import for_owner
from collector.store.engine import Engine, EngineError, Failure, code_of, packing
from collector.store.replication import replicated

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from clickhouse_connect.driver.client import Client
    from urllib3.response import BaseHTTPResponse

CONNECT_SECONDS = 10
# Read by the process that connects, so that no setting, which is handed on as text, holds a password.
PASSWORD_VARIABLE = "COLLECTOR_STORE_PASSWORD"  # noqa: S105 - the name of one
_CHUNK_BYTES = 1 << 20
# An insert is on the disk of every shard it goes to before it is confirmed, and a shard that is away is an error, not
# a part of the answer that is missing.
_SETTINGS = {"async_insert": "0", "distributed_foreground_insert": "1", "skip_unavailable_shards": "0"}
_PASSWORD_REFUSED = frozenset({192, 193, 194, 516})
_KINDS: tuple[tuple[type[HTTPError], Failure], ...] = (
    (NameResolutionError, Failure.UNKNOWN_HOST),
    (NewConnectionError, Failure.REFUSED),
    (ConnectTimeoutError, Failure.TIMEOUT),
    (ReadTimeoutError, Failure.TIMEOUT),
    (SSLError, Failure.UNTRUSTED),
)
# Let the server judge its settings: its refusal has a code, the driver's has none.
common.set_setting("invalid_setting_action", "send")
# Both quote addresses, and every failure reaches our caller anyway.
for _library in ("clickhouse_connect", "urllib3"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Address:
    """Where a server is and who asks.

    Attributes:
        url: `clickhouse://USER@HOST:PORT`, or `clickhouses://` for TLS.
        password_file: a file with the password; None for what the environment says, see PASSWORD_VARIABLE.
        timeout_seconds: how long to wait for bytes of an answer.
    """

    url: str
    password_file: Path | None
    timeout_seconds: int

    def password(self) -> str:
        """The password as it is in the file now, so that it can be changed without a restart.

        Raises:
            OSError: the file cannot be read.
        """
        if self.password_file is None:
            return os.environ.get(PASSWORD_VARIABLE, "")
        return self.password_file.read_text(encoding="utf-8").rstrip("\r\n")


class _Once(PoolManager):
    """Sends each request once, and turns a failure into its kind before the driver can repeat or log it."""

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> BaseHTTPResponse:  # noqa: ANN401
        try:
            return super().request(method, url, *arguments, **(options | {"retries": False}))
        except HTTPError as error:
            raise EngineError(0, _kind(error)) from None


@dataclass
class ServerEngine(Engine):
    """One session with a server. Statements that write are serialised, reading ones run beside them.

    Args:
        address: the server.
        name: of the installation; the session's statements are known to the server by it.
        is_replicated: whether what it makes is to be replicated, see replication.py.
    """

    address: Address
    name: str
    is_replicated: bool = False
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)
    _number: int = 0
    _client: Client | None = field(default=None, repr=False)
    _unanswered: bool = True  # a process before this one may have been killed while it waited

    def __post_init__(self) -> None:
        self._number = next(self._numbers)
        self._pool = _Once(**get_pool_manager_options())
        self._connecting = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def session(self) -> Engine:
        """See Engine."""
        return ServerEngine(self.address, self.name, self.is_replicated, self._numbers)

    def command(self, statement: str, **parameters: Any) -> None:  # noqa: ANN401
        """See Engine."""
        statement = replicated(statement) if self.is_replicated else statement
        with self._writing() as (client, query_id):
            client.command(statement, parameters=parameters or None, settings=query_id)

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
        """See Engine."""
        with self._asking() as client:
            return [tuple(row) for row in client.query(query, parameters=parameters or None).result_rows]

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """See Engine."""
        if rows:
            with self._writing() as (client, query_id):
                client.insert(table, rows, column_names=list(columns), settings=query_id)

    def load(self, table: str, files: Sequence[Path], rows: int) -> None:
        """See Engine. All files in one insert, never a whole one in memory."""
        with self._writing() as (client, query_id):
            done = client.raw_insert(
                table, insert_block=_packed(files), fmt="JSONEachRow", compression="lz4", settings=query_id
            )
            # A Distributed table counts what it keeps on its own shard twice as written, and no row twice as read.
            if min(done.written_rows, int(done.summary.get("read_rows", 0))) < rows:
                raise EngineError(0, Failure.LOST)

    def unload(self, query: str, file: Path) -> int:
        """See Engine. An answer that was cut may have fewer rows than the caller knows of."""
        rows, last = 0, b"\n"
        with open(file, "xb", opener=for_owner) as lines, self._asking() as client:
            try:
                with closing(cast("BinaryIO", client.raw_stream(query, fmt="JSONEachRow"))) as answer:
                    while chunk := answer.read(_CHUNK_BYTES):
                        lines.write(chunk)
                        rows, last = rows + chunk.count(b"\n"), chunk
            except HTTPError as error:
                raise EngineError(0, _kind(error)) from None
        if not last.endswith(b"\n"):
            raise EngineError(0, Failure.LOST)
        return rows

    def packed(self, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]], form: str) -> bytes:
        """See Engine."""
        query, length = packing(columns, rows)
        with self._asking() as client:
            return bytes(client.raw_query(query, fmt=form, settings={"max_query_size": length}))

    def close(self) -> None:
        """See Engine."""
        self._pool.clear()

    @contextmanager
    def _writing(self) -> Iterator[tuple[Client, dict[str, str]]]:
        """A client for one statement that changes something, and the name of that statement."""
        prefix = f"{self.name}.{self._number}."
        with self._one_at_a_time, self._asking() as client:
            if self._unanswered:
                client.command(
                    "KILL QUERY WHERE user = currentUser() AND startsWith(query_id, {prefix:String}) SYNC",
                    parameters={"prefix": prefix},
                )
            self._unanswered = True
            try:
                yield client, {"query_id": f"{prefix}{uuid.uuid4()}"}
            except ClickHouseError as error:
                self._unanswered = code_of(error) == 0
                raise
            self._unanswered = False

    @contextmanager
    def _asking(self) -> Iterator[Client]:
        """A client, and nothing but EngineErrors from what is done with it."""
        try:
            yield self._connected()
        except ClickHouseError as error:
            code = code_of(error)
            if code in _PASSWORD_REFUSED:
                self._client = None  # the next statement reads the password again
            lost = isinstance(error.__cause__, HTTPError)
            raise EngineError(code, Failure.LOST if lost else Failure.ANSWERED) from None

    def _connected(self) -> Client:
        with self._connecting:
            if self._client is None:
                try:
                    password = self.address.password()
                except OSError:
                    raise EngineError(0, Failure.NO_PASSWORD) from None
                url = urlsplit(self.address.url)
                self._client = clickhouse_connect.get_client(
                    interface="https" if url.scheme == "clickhouses" else "http",
                    host=url.hostname,
                    port=url.port,
                    username=unquote(url.username or ""),
                    password=password,
                    connect_timeout=min(CONNECT_SECONDS, self.address.timeout_seconds),
                    send_receive_timeout=self.address.timeout_seconds,
                    query_retries=0,
                    autogenerate_session_id=False,
                    settings=_SETTINGS,
                    pool_mgr=self._pool,
                )
            return self._client


def is_server_installation(directory: Path) -> bool:
    """Whether the reports of this data directory go to a server."""
    return (directory / "name").exists()


def installation_name(directory: Path) -> str:
    """The random name by which a server knows the statements of this data directory; made once.

    Raises:
        OSError: it can be neither read nor made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "name"
    if not path.exists():
        new = path.with_suffix(".new")
        new.write_text(secrets.token_hex(8), encoding="ascii")
        new.replace(path)
    return path.read_text(encoding="ascii")


def _packed(files: Sequence[Path]) -> Generator[bytes, None, None]:
    """The files' bytes one after the other, compressed."""
    compressor = lz4.frame.LZ4FrameCompressor()
    yield compressor.begin()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield compressor.compress(chunk)
    yield compressor.flush()


def _kind(error: HTTPError) -> Failure:
    if isinstance(error.__cause__, ConnectionResetError):
        return Failure.LOST  # taken and ended at once, which may be seen while still connecting
    return next((kind for exception, kind in _KINDS if isinstance(error, exception)), Failure.LOST)
