"""What the kernel says of a process: its CPU time and its memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(process: int) -> float:
    """User and system time of all its threads so far, to 10 ms."""
    # The name, in parentheses, may hold blanks; times are fields 14 and 15.
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def waited_seconds(process: int) -> float:
    """How long its main thread was ready to run and had no core so far; 0 where the kernel does not tell."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0


def peak_megabytes(process: int) -> float:
    """The most memory that it ever had resident (VmHWM), files that it maps included."""
    return _status_kilobytes(process, "VmHWM") * 1024 / 1e6


def resident_megabytes(process: int) -> float:
    """The memory that it has resident now (VmRSS), files that it maps included."""
    return _status_kilobytes(process, "VmRSS") * 1024 / 1e6


def memory_mib(process: int, name: Literal["VmHWM", "VmRSS"]) -> float:
    """The same in MiB, of a process that may be gone: then 0."""
    try:
        return _status_kilobytes(process, name) / 1024
    except (FileNotFoundError, ProcessLookupError, StopIteration):
        return 0.0


def _status_kilobytes(process: int, name: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))
