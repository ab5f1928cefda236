"""One sender at a time in a state directory, so that two do not report one boot, or send what waits twice.

The lock is on an empty file that nobody but this user and root can open: on the directory itself anybody could hold
it, and keep this user's reports back. The kernel lets go of it when its holder ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import time
from enum import Enum
from typing import Iterator

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = "lock"
# How long an off, or a seal, waits for a sender that is at work.
WAIT_FOR_SENDER_SECONDS = 1.0
_AGAIN_SECONDS = 0.02


class Turn(Enum):
    """What became of waiting for the lock."""

    OURS = "ours"
    ANOTHERS = "another's"  # for longer than we wait
    NONE = "none"  # there are no locks here, or no file can be made: the work is done without


@contextlib.contextmanager
def only_sender(directory: str, most_seconds: float, *, makes: bool = True) -> Iterator[Turn]:
    """Holds the lock of `directory` while the block runs, or tells why not.

    makes: whether the lock file is made where it is missing; without one nobody is at work there.
    """
    descriptor = -1
    try:
        if fcntl is not None and directory:
            with contextlib.suppress(OSError):
                descriptor = _open(os.path.join(directory, LOCK_FILE), makes=makes)
        yield _wait(descriptor, most_seconds) if descriptor >= 0 else Turn.NONE
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _open(path: str, *, makes: bool) -> int:
    """The lock file; a link in its place is replaced, not followed."""
    if os.path.islink(path):
        os.unlink(path)
    return os.open(path, os.O_RDWR | (os.O_CREAT if makes else 0) | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _wait(descriptor: int, most_seconds: float) -> Turn:
    until = time.monotonic() + most_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return Turn.ANOTHERS
            time.sleep(_AGAIN_SECONDS)
        except OSError:
            return Turn.NONE  # a file system without locks
        else:
            return Turn.OURS
