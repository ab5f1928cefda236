"""A directory of files that is made as a whole, or replaced as a whole if it holds an earlier export and nothing else.

Written beside its place first and then renamed, so that a reader finds the old files or the new ones; between the
two renames of a replacement there is, for a moment, none. What a killed run leaves is hidden beside it, named
`.<name>.<random>.new` or `.old`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from typing import TYPE_CHECKING

from collector.cli.main import fail

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_INDEX = "index.json"


def check_replaceable(directory: Path, package: str) -> None:
    """Ends the program unless the directory is missing, empty, or holds files of an export of `package` alone."""
    try:
        if not directory.resolve().parent.is_dir():
            fail(f"{directory}: there is no directory {directory.resolve().parent} to make it in")
        if not directory.exists():
            return
        ours = _files_of(directory, package)
        paths = directory.rglob("*") if ours else directory.iterdir()
        if any(not ours or (not path.is_dir() and str(path.relative_to(directory)) not in ours) for path in paths):
            fail(f"{directory} holds something else; give a directory of its own")
    except OSError as error:
        fail(f"{directory}: cannot be looked at: {error.strerror}")


def _files_of(directory: Path, package: str) -> set[str]:
    """The files of the export that is in the directory."""
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError, AttributeError):
        index = json.loads((directory / _INDEX).read_bytes())
        if index.get("name") == package:
            return {_INDEX, *index["files"].keys()}
    return set()


def replace_directory(directory: Path, files: Mapping[str, bytes]) -> None:
    """Puts these files, by their path in it, in place of the directory.

    Only after `check_replaceable`: what was there is gone.
    """
    place = directory.resolve()
    mark = secrets.token_hex(4)
    new, old = place.parent / f".{place.name}.{mark}.new", place.parent / f".{place.name}.{mark}.old"
    try:
        new.mkdir()
        try:
            for name, content in files.items():
                path = new / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            _swap(place, new, old)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        fail(f"{directory}: cannot be written: {error.strerror}")
    shutil.rmtree(old, ignore_errors=True)


def _swap(place: Path, new: Path, old: Path) -> None:
    """The new directory in place of the old one; the old one is back where that fails."""
    if not place.exists():
        new.rename(place)
        return
    place.rename(old)
    try:
        new.rename(place)
    except OSError:
        old.rename(place)
        raise
