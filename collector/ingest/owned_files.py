"""Files for their owner alone, on the disk before anybody is told of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def for_owner(path: str, flags: int) -> int:
    """An opener (see `open`) that makes files for their owner alone."""
    return os.open(path, flags, 0o600)


def write_new(path: Path, content: bytes) -> None:
    """Writes a file that is not there yet.

    Raises:
        OSError: it is, or it cannot be written.
    """
    _write(path, "xb", content)


def replace(path: Path, content: bytes) -> None:
    """Makes `content` that of a file, whole or not at all.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    new = begun(path)
    _write(new, "wb", content)
    new.replace(path)
    sync_directory(path.parent)


def begun(path: Path) -> Path:
    """Where `replace` writes before it renames; there after it was killed."""
    return path.with_name(f".{path.name}.new")


def sync_directory(directory: Path) -> None:
    """Makes the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, mode: str, content: bytes) -> None:
    with open(path, mode, opener=for_owner) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
