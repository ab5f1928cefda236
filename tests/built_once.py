"""Directories that take long to make and that several modules start from: made once for all processes of a run."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def built_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The directory that `make` filled, here or in another process of this run; work on a copy of it, see `copied`."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    directory = shared / f"built-{name}"
    with (shared / f"built-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            part = directory.with_suffix(".part")
            make(part)
            part.rename(directory)
    return directory


def copied(built: Path, directory: Path) -> Path:
    """A copy to work on, in `directory`, which is not there yet."""
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The embedded engine finds its tables through links that are relative.
    shutil.copytree(built, directory, symlinks=True)
    return directory
