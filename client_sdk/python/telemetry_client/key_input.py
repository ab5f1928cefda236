"""The licence key from standard input: one line, for a time, and never without end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, List

if TYPE_CHECKING:
    from telemetry_client.deadline import Deadline

_MOST_BYTES = 4096


def first_line_of_input(deadline: Deadline) -> str:
    """The first line; empty where it is longer than 4 KiB, or does not come in time."""
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):
        return ""
    read = b""
    while b"\n" not in read and len(read) <= _MOST_BYTES:
        if not _has_something(descriptor, deadline):
            return ""
        try:
            more = os.read(descriptor, _MOST_BYTES + 1 - len(read))
        except OSError:
            return ""
        if not more:
            break
        read += more
    line = read.partition(b"\n")[0]
    return line.decode("utf-8", errors="replace") if len(line) <= _MOST_BYTES else ""


if sys.platform == "win32":
    import threading

    def _has_something(descriptor: int, deadline: Deadline) -> bool:
        """Windows cannot wait for a pipe with a limit; a thread that is left behind can."""
        found: List[int] = []
        looking = threading.Thread(target=lambda: found.append(_wait_for(descriptor)), daemon=True)
        looking.start()
        looking.join(max(0.0, deadline.remaining()))
        return bool(found)

    def _wait_for(descriptor: int) -> int:
        import _winapi  # noqa: PLC0415
        import msvcrt  # noqa: PLC0415 - Windows only
        import time  # noqa: PLC0415

        handle = msvcrt.get_osfhandle(descriptor)
        while True:
            try:
                if _winapi.PeekNamedPipe(handle)[0]:
                    return 1
            except OSError:
                return 1  # a file or a closed pipe: reading does not wait
            time.sleep(0.02)

else:
    import select

    def _has_something(descriptor: int, deadline: Deadline) -> bool:
        """Whether reading returns at once, now or before the time is up."""
        try:
            return bool(select.select([descriptor], [], [], max(0.0, deadline.remaining()))[0])
        except (OSError, ValueError):
            return False
