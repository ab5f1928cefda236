"""The files in which the processes keep their metrics, with all of their space taken in advance.

The metrics library maps sparse files into memory. On a disk that is full, the first touch of a page that has
no space yet ends the process (SIGBUS); with its space taken at the start, a full disk costs no process.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
# What the library begins a file with; all of our metrics need a part of it.
_BYTES = 65_536
_KINDS = ("counter", "histogram", "gauge_livesum", "gauge_mostrecent")


def allocate() -> None:
    """Makes this process's files; to be called before the first metric is declared.

    Where there is no space for them this process counts in memory elsewhere and for nobody: taking reports, or
    saying 507, matters more than counting.
    """
    directory = os.environ.get(_DIRECTORY)
    if not directory:
        return
    try:
        _allocate(Path(directory))
    except OSError:
        for file in Path(directory).glob(f"*_{os.getpid()}.db"):
            file.unlink()
        os.environ[_DIRECTORY] = tempfile.mkdtemp(prefix="collector-", dir="/dev/shm")


def _allocate(directory: Path) -> None:
    for kind in _KINDS:
        path = directory / f"{kind}_{os.getpid()}.db"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _BYTES)
        finally:
            os.close(descriptor)
