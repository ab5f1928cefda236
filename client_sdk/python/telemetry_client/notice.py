"""The line that comes before the first send where no person chose on this machine."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Callable, Optional, TextIO

if TYPE_CHECKING:
    from telemetry_client.permits import Permits

# Shows the notice to a person, and says whether it could.
Announce = Callable[[str], bool]


def notice_text(permits: Permits) -> str:
    """The notice, in one line."""
    return (
        "telemetry-client: this image reports its product, version, source (vm, cloud or container), OS "
        "version, instance type, language and a random number made for each report to its vendor; "
        "`telemetry-client show` shows it, `telemetry-client off` ends it "
        f"({permits.contact}, {permits.url})"
    )


def announce_on_stderr(notice: str) -> bool:
    """Shows the notice on the standard error, which is a container's log; False where there is none."""
    # None where it is closed, or without a console; print() would then show it on the standard output.
    if sys.stderr is None:
        return False
    line = notice + "\n"
    try:
        sys.stderr.flush()
        descriptor = _descriptor_of(sys.stderr)
        if descriptor is None:
            sys.stderr.write(line)
            sys.stderr.flush()
            return True
        if _is_null(descriptor):
            return False  # where it goes nobody can read it
        # Past the buffer: what a full disk refuses would otherwise be tried again, and fail the program, at its end.
        return os.write(descriptor, line.encode("ascii")) == len(line)
    except (OSError, ValueError, AttributeError):
        return False


def _is_null(descriptor: int) -> bool:
    opened, null = os.fstat(descriptor), os.stat(os.devnull)
    return stat.S_ISCHR(opened.st_mode) and stat.S_ISCHR(null.st_mode) and opened.st_rdev == null.st_rdev


def _descriptor_of(stream: TextIO) -> Optional[int]:
    """None where something else stands in for the standard error, as in a program that embeds this client."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
