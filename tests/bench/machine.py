"""The machine that a benchmark ran on, in words."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from tests.bench.cores import ARE_APART, SENDER, SERVER
from tests.conftest import PROJECT


def describe(directory: Path) -> dict[str, str]:
    """What bears on the figures; `directory` is where spools and databases were."""
    pinned = (
        f"server on core {SERVER}, sender on core {SENDER}"
        if ARE_APART
        else "one core for server and sender together: rates and ratios of rates say little"
    )
    return {
        "cores": str(os.cpu_count()),
        "processor": processor(),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "file system of the spool": _file_system(directory),
        "placement": pinned,
    }


def commit() -> str:
    """Of the checkout, with a mark if it holds more than that; empty outside of one."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def processor() -> str:
    """Its model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _file_system(directory: Path) -> str:
    """Of the mount that the directory lies in: the longest that leads to it."""
    found = ("", "unknown")
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, mounted_on, kind, *_ = line.split()
        if directory.resolve().is_relative_to(mounted_on) and len(mounted_on) >= len(found[0]):
            found = (mounted_on, kind)
    return found[1]
