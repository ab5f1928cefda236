"""The file that holds who may read, who did, and what is hidden: <data>/access.sqlite.

Invariants: for its owner alone (0600, and so are SQLite's -wal and -shm files beside it); no token and no cookie
is in it, only their SHA-256; no address of anyone. Several processes use it at once: the store process of
`serve`, and commands beside it. Each change is one transaction and on disk when it returns, so that what was
revoked stays revoked through a power cut. What is deleted is overwritten (secure_delete). Needs a local file
system, as the rest of the data directory does.

    token    id, name, role, digest, created_at, expires_at, last_used_on, revoked_at
    session  digest, token, made_at, seen_at
    audit    at, event, who, role, how, path, query, status, about
    hidden   id, product, field, value, hidden_by, hidden_on, reason

`_at` are UTC seconds, `_on` dates such as 2026-10-31. Everything here blocks; the event loop uses `apart`.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

P = ParamSpec("P")
T = TypeVar("T")

# One text for each version of the file; `PRAGMA user_version` says how many were run. Never edit one that is out.
MIGRATIONS = (
    """
    CREATE TABLE token (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL COLLATE NOCASE,
        role TEXT NOT NULL CHECK (role IN ('viewer', 'admin')),
        digest BLOB NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        last_used_on TEXT,
        revoked_at INTEGER
    );
    CREATE TABLE session (
        digest BLOB PRIMARY KEY,
        token INTEGER NOT NULL REFERENCES token (id),
        made_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE audit (
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        who TEXT NOT NULL,
        role TEXT NOT NULL,
        how TEXT NOT NULL,
        path TEXT NOT NULL,
        query TEXT NOT NULL,
        status INTEGER,
        about TEXT NOT NULL
    );
    CREATE INDEX audit_at ON audit (at);
    CREATE TABLE hidden (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        product TEXT NOT NULL,
        field TEXT NOT NULL,
        value TEXT NOT NULL,
        hidden_by TEXT NOT NULL,
        hidden_on TEXT NOT NULL,
        reason TEXT NOT NULL,
        UNIQUE (product, field, value)
    )
    """,
)
_BUSY_SECONDS = 10
_THREADS = 2
_OTHERS = 0o077


class LedgerError(Exception):
    """The file cannot be read or written.

    Attributes:
        code: SQLite's name of the reason, which holds no value.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Ledger:
    """The open file: one connection that reads and one that writes, so that no answer waits for a change.

    Args:
        path: where it is; made if missing.

    Raises:
        ConfigurationError: it is open to others, no plain file, or of a newer version of this program.
        LedgerError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        _make(path)
        with _named_errors():
            self._writer = _connect(path)
            try:
                _migrate(self._writer, path)
                self._reader = _connect(path)
                self._reader.execute("PRAGMA query_only = ON")
            except BaseException:
                self._writer.close()
                raise
        self._reads, self._writes = threading.Lock(), threading.Lock()
        # Threads of its own: those that all share may all be waiting for a store that hangs.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ledger")

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query.

        Raises:
            LedgerError: it failed.
        """
        with self._reads, _named_errors():
            return self._reader.execute(sql, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on disk at the end of the block, or undone where the block raises.

        Raises:
            LedgerError: it failed, or others wrote for too long.
        """
        with self._writes, _named_errors(), _transaction(self._writer):
            yield self._writer

    def forget_for_good(self) -> None:
        """Empties SQLite's -wal file, where what was deleted may still be; not while others read."""
        with self._writes, _named_errors():
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    async def apart(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a blocking function returns, from a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Closes the file; the last process that does folds the -wal file in."""
        self._threads.shutdown()
        self._reader.close()
        self._writer.close()


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """The ledger, until the end of the block."""
    with closing(Ledger(path)) as ledger:
        yield ledger


@contextmanager
def _named_errors() -> Iterator[None]:
    """An error of SQLite's becomes its name: its text might quote what was to be written."""
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerError(getattr(error, "sqlite_errorname", None) or type(error).__name__) from None


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")


def _make(path: Path) -> None:
    """An empty file for its owner alone, or a look at the one that is there.

    The one that is there is not opened: closing it would end the locks that SQLite holds on it in this process.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        there = path.lstat()
        if not stat.S_ISREG(there.st_mode):
            raise ConfigurationError([f"{path}: is not a plain file; move it away"]) from None
        if stat.S_IMODE(there.st_mode) & _OTHERS:
            mode = f"{stat.S_IMODE(there.st_mode):04o}"
            raise ConfigurationError([f"{path}: mode {mode} lets others read it; run: chmod 600 {path}"]) from None
        return
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be made: {error.strerror}"]) from error
    try:
        if os.geteuid() == 0:  # root made it for the user whose directory it is
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit: transactions are begun and ended by hand. Locks of ours keep the threads apart.
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _set_wal(connection)
        for setting in ("synchronous = FULL", "secure_delete = ON", "foreign_keys = ON", "trusted_schema = OFF"):
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_wal(connection: sqlite3.Connection) -> None:
    """Of several processes that open a new file at once one switches it; SQLite does not wait for that by itself."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == len(MIGRATIONS):
        return
    with _transaction(connection):
        version = _version(connection)  # again: another process may have been first
        if version > len(MIGRATIONS):
            raise ConfigurationError([f"{path}: was made by a newer version of this program; use that one"])
        for migration in MIGRATIONS[version:]:
            for statement in migration.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    ((version,),) = connection.execute("PRAGMA user_version")
    return int(version)
