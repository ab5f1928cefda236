"""Files that are there whole or not at all: temporary file, fsync, rename, fsync of the directory.

A temporary file's name begins with `.telemetry-`; one that a power cut left behind is never read.
"""

from __future__ import annotations

import contextlib
import os

TEMPORARY_PREFIX = ".telemetry-"


def write_durably(path: str, data: bytes, mode: int) -> None:
    """Puts `data` at `path`. Raises OSError where that fails; the old content is then still there."""
    import tempfile  # noqa: PLC0415 - what writes nothing need not load it

    directory = os.path.dirname(path)
    # mkstemp makes the file 0600 at once: there is no moment in which others could open it.
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            # Through the descriptor, not by the name: somebody may have put a link there meanwhile.
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(directory)


def set_mode(directory: str, mode: int) -> None:
    """Gives a directory its mode whatever the umask was. Raises OSError where it is a link, or not ours."""
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows has no such modes
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _sync_directory(directory: str) -> None:
    # Windows cannot open a directory; there the rename itself is as durable as it gets.
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
