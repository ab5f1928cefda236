"""A backup of what a store holds, and reading it back.

    DIR/collector-20261127T031500Z/      a backup; while it is being written its name begins with a dot
        manifest.json                    what is in it and what each file's bytes add up to, see Manifest
        rows/TABLE/PARTITION.NODE.N.ndjson.lz4
        access.sqlite                    tokens, sessions, audit trail and hidden values
        products.toml                    products that were added while running
        simulated                        the mark of made-up data

Not in it: peppers, which are to be kept apart from what they protect, the spool and the quarantine, which are on
their way to the store, and every secret of a release, which is on no disk. backing_up.py takes it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Literal

import lz4.frame
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from collector.ingest.owned_files import for_owner, write_new
from collector.store.content import TABLES, Content
from collector.store.migrate import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


_NAME = re.compile(r"\.?collector-\d{8}T\d{6}Z")
TIME = "collector-%Y%m%dT%H%M%SZ"
MANIFEST = "manifest.json"
CHUNK_BYTES = 1 << 20


class BackupError(Exception):
    """The backup cannot be taken, or cannot be used; the text says why and names no value."""


def _known(table: str) -> str:
    if table not in TABLES:
        raise ValueError("no table of a store")
    return table


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BackupFile(_Entry):
    """One file: its path in the backup, its rows, its size and SHA-256."""

    path: Annotated[str, Field(pattern=r"^[a-z][a-zA-Z0-9_.-]*(/[a-z0-9][a-zA-Z0-9_.-]*)*$")]
    rows: int
    bytes: int
    sha256: str


class Partition(_Entry):
    """One partition of a table and the files that hold it."""

    table: Annotated[str, AfterValidator(_known)]
    partition: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    rows: int
    checksum: int
    files: tuple[BackupFile, ...]


class Manifest(_Entry):
    """What a backup holds.

    Attributes:
        format: of the backup.
        program: the version that made it.
        migrations: of the tables; a store with others cannot take the rows.
        taken_at: when (UTC).
        partitions: of the store.
        files: beside the rows.
    """

    format: Literal[1]
    program: str
    migrations: int
    taken_at: dt.datetime
    partitions: tuple[Partition, ...]
    files: tuple[BackupFile, ...]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(one.rows for one in self.partitions)

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for one in self.partitions for file in one.files) + sum(one.bytes for one in self.files)


@dataclass(frozen=True)
class Backup:
    """A backup to restore from; a Source of rows."""

    directory: Path
    manifest: Manifest

    def contents(self) -> dict[tuple[str, str], Content]:
        """See Source."""
        return {(one.table, one.partition): Content(one.rows, one.checksum) for one in self.manifest.partitions}

    def pieces(self, table: str, partition: str, scratch: Path) -> Iterator[tuple[Path, int]]:
        """See Source.

        Raises:
            BackupError: a file is not what was written.
        """
        (found,) = (one for one in self.manifest.partitions if (one.table, one.partition) == (table, partition))
        for file in found.files:
            with _unpacked(self, file, scratch) as lines:
                yield lines, file.rows

    def check(self, done: Callable[[int], None]) -> None:
        """Reads every file and compares it with what was written.

        Args:
            done: told the bytes that were read.

        Raises:
            BackupError: a file is missing, or is not what was written.
        """
        for file in (*(file for one in self.manifest.partitions for file in one.files), *self.manifest.files):
            for chunk in self.read(file):
                done(len(chunk))

    def put_beside(self, directory: Path) -> None:
        """Puts back what lay beside the store, where there is none.

        Raises:
            BackupError: a file is not what was written.
            OSError: it cannot be written.
        """
        for file in self.manifest.files:
            target = directory / PurePath(file.path).name
            if not target.exists():
                write_new(target, b"".join(self.read(file)))

    def read(self, file: BackupFile) -> Iterator[bytes]:
        """The bytes of a file.

        Raises:
            BackupError: it is missing; or, after its last byte, it is not what was written.
        """
        seen = hashlib.sha256()
        try:
            with (self.directory / file.path).open("rb") as source:
                while chunk := source.read(CHUNK_BYTES):
                    seen.update(chunk)
                    yield chunk
        except FileNotFoundError:
            raise BackupError(f"{self.directory / file.path} is missing") from None
        if seen.hexdigest() != file.sha256:
            raise BackupError(f"{self.directory / file.path} is damaged: it is not what was written")


def open_backup(directory: Path) -> Backup:
    """A backup for restoring.

    Raises:
        BackupError: it is none, or of tables that this program does not know.
    """
    try:
        manifest = Manifest.model_validate_json((directory / MANIFEST).read_bytes())
    except OSError as error:
        raise BackupError(f"{directory} is no backup: {MANIFEST} cannot be read ({error.strerror})") from None
    except ValidationError:
        raise BackupError(f"{directory} is no backup that this program can read: see its {MANIFEST}") from None
    if manifest.migrations != len(migrations()):
        raise BackupError(
            f"{directory} was made by version {manifest.program}, whose tables are others: "
            "restore it with that version, then upgrade"
        )
    return Backup(directory, manifest)


def remove_old(into: Path, before: dt.datetime) -> list[Path]:
    """Removes backups that were taken before a time, and what was left of those that did not end.

    Touches nothing but directories with a backup's name.

    Returns:
        The backups that were removed.
    """
    removed = []
    for path, taken, is_whole in backups_in(into):
        if not is_whole:
            shutil.rmtree(path)
        elif taken < before and (path / MANIFEST).exists():
            shutil.rmtree(path)
            removed.append(path)
    return removed


def backups_in(into: Path) -> list[tuple[Path, dt.datetime, bool]]:
    """The backups in a directory, with when they were taken or begun, and whether they were finished."""
    found = []
    for path in sorted(into.iterdir()) if into.is_dir() else []:
        if _NAME.fullmatch(path.name) and path.is_dir():
            at = dt.datetime.strptime(path.name.removeprefix("."), TIME).replace(tzinfo=dt.UTC)
            found.append((path, at, not path.name.startswith(".")))
    return found


@contextmanager
def _unpacked(backup: Backup, file: BackupFile, scratch: Path) -> Iterator[Path]:
    lines = scratch / f"moving_{secrets.token_hex(8)}.ndjson"
    unpacking = lz4.frame.LZ4FrameDecompressor()
    try:
        with open(lines, "xb", opener=for_owner) as into:
            into.writelines(unpacking.decompress(chunk) for chunk in backup.read(file))
        yield lines
    except RuntimeError:
        raise BackupError(f"{backup.directory / file.path} is damaged: it is not what was written") from None
    finally:
        lines.unlink(missing_ok=True)
