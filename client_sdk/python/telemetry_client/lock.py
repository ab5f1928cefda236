"""One sender at a time in a state directory, so that two do not send what waits twice.

The lock is on the directory itself: no file is left behind, and the kernel lets go of it when its holder
ends, however it ends. It is asked for politely: after a second, or where there are no such locks, the
work is done without it, because a report that is sent twice is counted once.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Iterator

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_AGAIN_SECONDS = 0.02


@contextlib.contextmanager
def only_sender(directory: str, most_seconds: float) -> Iterator[bool]:
    """Holds the lock of `directory` while the block runs; tells whether it does."""
    descriptor = -1
    try:
        if fcntl is not None and directory:
            with contextlib.suppress(OSError):
                descriptor = os.open(directory, os.O_RDONLY)
        yield descriptor >= 0 and _is_locked(descriptor, most_seconds)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _is_locked(descriptor: int, most_seconds: float) -> bool:
    until = time.monotonic() + most_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_AGAIN_SECONDS)
        except OSError:
            return False  # a file system without locks
        else:
            return True
