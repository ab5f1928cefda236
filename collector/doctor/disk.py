"""What uses the disk, and how much is left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from collector.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.doctor.case import Case

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1000
_ROOMS = ("spool", "quarantine", "engine", "secrets", "run")
# Below so many times the reserve the operator should know; below so small a share of free inodes too.
_SOON = 2
_FEW_INODES = 0.05


def check(case: Case) -> Iterator[Finding]:
    """Free space against the reserve, inodes, what uses it, and the spool against its cap."""
    yield from _directory(case)
    if not case.paths.data.is_dir():
        return
    used = figures(case)
    free, size = used["free_bytes"], used["size_bytes"]
    reserve = used["reserve_bytes"]
    by_room = ", ".join(f"{room} {in_words(length)}" for room, length in used["used_bytes"].items())
    largest = max(used["used_bytes"], key=used["used_bytes"].get)
    left = f"{in_words(free)} of {in_words(size)} free, the reserve is {in_words(reserve)}"
    todo = f"make the disk larger or free space on it; of the collector's own, {largest} is the largest"
    if free < reserve:
        yield Finding.problem(f"{left}: reports are refused with 507", todo)
    elif free < _SOON * reserve:
        yield Finding.warning(f"{left}: soon reports will be refused", todo)
    else:
        yield Finding.ok(left)
    yield Finding.ok(by_room)
    if used["inodes"] and used["free_inodes"] < _FEW_INODES * used["inodes"]:
        yield Finding.problem(
            f"{used['free_inodes']:,} of {used['inodes']:,} inodes free: soon no file can be made",
            "remove small files on this disk, or make it anew with more inodes",
        )
    cap = case.settings.max_spool_bytes
    if cap and used["used_bytes"]["spool"] >= cap:
        yield Finding.problem(
            f"the spool holds {in_words(used['used_bytes']['spool'])}, max_spool_bytes is {in_words(cap)}: "
            "reports are refused with 507",
            "see below what keeps the store from loading",
        )


def figures(case: Case) -> dict[str, Any]:
    """Free space, reserve, inodes and the bytes on disk of each part, as far as they can be read."""
    if not case.paths.data.is_dir():
        return {}
    disk = os.statvfs(case.paths.data)
    size = disk.f_blocks * disk.f_frsize
    return {
        "free_bytes": disk.f_bavail * disk.f_frsize,
        "size_bytes": size,
        "reserve_bytes": int(size * case.settings.reserve_percent / 100),
        "free_inodes": disk.f_favail,
        "inodes": disk.f_files,
        "used_bytes": {room: _used(os.fspath(case.paths.data / room)) for room in _ROOMS},
    }


def in_words(length: float) -> str:
    """A number of bytes for people, e.g. `3.1 GB`."""
    for unit in _UNITS[:-1]:
        if length < _STEP:
            return f"{length:.0f} {unit}" if unit == _UNITS[0] else f"{length:.1f} {unit}"
        length /= _STEP
    return f"{length:.1f} {_UNITS[-1]}"


def _directory(case: Case) -> Iterator[Finding]:
    paths = case.paths
    if not paths.data.is_dir():
        yield Finding.problem(
            f"{paths.data} is not there or is no directory", "give the right one with --data, or mount its disk"
        )
        return
    missing = [path.name for path in (paths.spool, paths.quarantine, paths.secrets) if not path.is_dir()]
    if len(missing) > 1 and not paths.engine.exists():
        yield Finding.problem(f"{paths.data} holds no collector data", "`collector serve` makes some")
    elif missing:
        yield Finding.problem(
            f"{', '.join(missing)} is missing in {paths.data}",
            "restore it from a backup; `collector serve` makes an empty one, without what was in it",
        )


def _used(directory: str) -> int:
    """Bytes that a directory uses on disk; what goes while it is looked at does not count."""
    total = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        total += _used(entry.path)
                except FileNotFoundError:
                    continue
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return total
    return total
