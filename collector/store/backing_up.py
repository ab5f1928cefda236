"""Takes a backup while the collector works.

Rows are copied from tables of hard links to the parts as they are at one moment, `private.backing_<random>`, so
loading goes on meanwhile; days are not closed meanwhile. Each partition is counted and summed in there; a restored
one is compared with that by the engine itself.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import lz4.frame

from collector.ingest.owned_files import for_owner, sync_directory, write_new
from collector.store.backup import (
    CHUNK_BYTES,
    MANIFEST,
    TIME,
    BackupError,
    BackupFile,
    Manifest,
    Partition,
)
from collector.store.content import ROWS_AT_A_TIME, TABLES, Content, contents_of, demand_no_closing, nodes_of
from collector.store.migrate import migrations

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from collector.store.engine import Engine

_PREFIX = "backing_"
# A part of the snapshot whose rows reach the end of their time while it is read is read again.
_TRIES = 3


@dataclass(frozen=True)
class Backing:
    """Takes one backup.

    Attributes:
        engine: a connection of its own.
        ledger: the SQLite file beside the store; copied as it is at one moment, if it is there.
        beside: other files that go into the backup, those that are there.
        still: raises if days may be closed by somebody else meanwhile.
    """

    engine: Engine
    ledger: Path
    beside: Sequence[Path]
    still: Callable[[], None]

    def take(self, into: Path, now: dt.datetime, begin: Callable[[int], Callable[[int], None]]) -> Path:
        """Writes a backup into a directory of backups.

        Args:
            into: the directory; made if missing.
            now: the time (UTC), which becomes its name.
            begin: told how many rows there are; returns what is told of rows that are done.

        Returns:
            Where it is.

        Raises:
            InterruptedClosingError: a closing has to be finished first.
            BackupError: there is one of the same second, or the store does not hold still.
            EngineError, OSError: something failed; nothing is left but a directory that the next one removes.
        """
        demand_no_closing(self.engine)
        self.clear()
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = now.strftime(TIME)
        done, new = into / name, into / f".{name}"
        if done.exists():
            raise BackupError(f"{done} is there already")
        new.mkdir(mode=0o700)
        try:
            partitions = tuple(self._partitions(new, begin))
            manifest = Manifest(
                format=1,
                program=version("product-telemetry"),
                migrations=len(migrations()),
                taken_at=now,
                partitions=partitions,
                files=tuple(self._beside(new)),
            )
            write_new(new / MANIFEST, manifest.model_dump_json(indent=1).encode())
            _sync_directories(new)
            new.rename(done)
            sync_directory(into)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            self.clear()
        return done

    def clear(self) -> None:
        """Drops the snapshots of a backup that did not end."""
        for node in self.engine.nodes:
            found = node.rows(
                "SELECT name FROM system.tables WHERE database = 'private' AND startsWith(name, {prefix:String})",
                prefix=_PREFIX,
            )
            for (name,) in found:
                node.command(f"DROP TABLE IF EXISTS private.{name} SYNC")

    def _partitions(self, new: Path, begin: Callable[[int], Callable[[int], None]]) -> Iterator[Partition]:
        taken = [
            (table, number, node, self._snapshot(node, table))
            for table in TABLES
            for number, node in enumerate(nodes_of(self.engine, table))
        ]
        held = [(*one, contents_of(one[2], one[3], TABLES[one[0]])) for one in taken]
        advance = begin(sum(content.rows for *_, contents in held for content in contents.values()))
        found: dict[tuple[str, str], Partition] = {}
        for table, number, node, snapshot, contents in held:
            for partition, content in contents.items():
                self.still()
                part = self._partition(new, (table, partition, content), number, node, snapshot)
                before = found.get((table, partition))
                found[table, partition] = _together(before, part) if before else part
                advance(part.rows)
            node.command(f"DROP TABLE {snapshot} SYNC")
        yield from found.values()

    @staticmethod
    def _snapshot(node: Engine, table: str) -> str:
        snapshot = f"private.{_PREFIX}{secrets.token_hex(8)}"
        node.command(f"CREATE TABLE {snapshot} AS {table}")
        for (partition,) in node.rows(f"SELECT DISTINCT _partition_id FROM {table} ORDER BY _partition_id"):
            node.command(f"ALTER TABLE {snapshot} ATTACH PARTITION ID '{partition}' FROM {table}")
        return snapshot

    @staticmethod
    def _partition(new: Path, counted: tuple[str, str, Content], number: int, node: Engine, snapshot: str) -> Partition:
        table, partition, content = counted
        directory = new / "rows" / table
        for made in (directory.parent, directory):
            made.mkdir(mode=0o700, exist_ok=True)
        where = f"_partition_id = '{partition}'"
        for _ in range(_TRIES):
            pieces = 1 + content.rows // ROWS_AT_A_TIME
            files = []
            for piece in range(pieces):
                path = directory / f"{partition}.{number}.{piece}.ndjson.lz4"
                rows = f"SELECT * FROM {snapshot}{TABLES[table]} WHERE {where} AND sipHash64(*) % {pieces} = {piece}"
                files.append(_unloaded(node, rows, path, new))
            if sum(file.rows for file in files) == content.rows:
                return Partition(
                    table=table, partition=partition, rows=content.rows, checksum=content.checksum, files=tuple(files)
                )
            content = contents_of(node, snapshot, TABLES[table], where).get(partition, Content(0, 0))
        raise BackupError(f"{table} changes while it is read; try again")

    def _beside(self, new: Path) -> Iterator[BackupFile]:
        if self.ledger.exists():
            copy = new / self.ledger.name
            with closing(sqlite3.connect(self.ledger)) as ledger, closing(sqlite3.connect(copy)) as into:
                ledger.backup(into)
            copy.chmod(0o600)
            yield _described(copy, new, 0)
        for path in self.beside:
            if path.exists():
                copy = new / path.name
                write_new(copy, path.read_bytes())
                yield _described(copy, new, 0)


def _together(one: Partition, other: Partition) -> Partition:
    content = Content(one.rows, one.checksum).with_more(Content(other.rows, other.checksum))
    return one.model_copy(
        update={"rows": content.rows, "checksum": content.checksum, "files": (*one.files, *other.files)}
    )


def _unloaded(node: Engine, query: str, path: Path, new: Path) -> BackupFile:
    """The rows of a query in a packed file."""
    lines = path.with_suffix("")
    lines.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    rows = node.unload(query, lines)
    with open(path, "xb", opener=for_owner) as into:
        with lines.open("rb") as source, lz4.frame.open(into, "wb") as packed:
            shutil.copyfileobj(source, packed, CHUNK_BYTES)
        into.flush()
        os.fsync(into.fileno())
    lines.unlink()
    return _described(path, new, rows)


def _described(path: Path, new: Path, rows: int) -> BackupFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return BackupFile(path=path.relative_to(new).as_posix(), rows=rows, bytes=path.stat().st_size, sha256=digest)


def _sync_directories(root: Path) -> None:
    for directory in (root, *(path for path in root.rglob("*") if path.is_dir())):
        sync_directory(directory)
