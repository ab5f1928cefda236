"""Which boot this is: told apart on this machine, never sent.

The kernel's random boot id, a slash, and the start time of process 1, so that a container that starts again
is a boot of its own. Where there is no boot id (Windows, macOS, no /proc) no boot is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telemetry_client.text import first_line, is_number

if TYPE_CHECKING:
    from telemetry_client.machine import Machine

BOOT_ID = "/proc/sys/kernel/random/boot_id"
FIRST_PROCESS = "/proc/1/stat"
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
# Of what comes after the process's name, which is in brackets and may hold blanks and brackets itself.
_START_TIME = 19


def this_boot(machine: Machine) -> str:
    """`BOOT_ID/START_TIME`; the second part is empty where it cannot be read, and all where no boot is known."""
    boot_id = first_line(machine.read(BOOT_ID) or "")
    if not _ID.fullmatch(boot_id):
        return ""
    columns = (machine.read(FIRST_PROCESS) or "").rpartition(")")[2].split()
    started = columns[_START_TIME] if len(columns) > _START_TIME else ""
    return f"{boot_id}/{started if is_number(started) else ''}"
