"""A file system of a few megabytes, made for a test and taken away again, and what fills it.

Mounting needs rights. Without them the test's scenario runs in a user and mount namespace of its own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conftest import PROJECT, missing

_IN_NAMESPACE = (
    "import importlib, pathlib, sys; "
    "getattr(importlib.import_module(sys.argv[1]), sys.argv[2])(pathlib.Path(sys.argv[3]))"
)


@contextlib.contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[None]:
    """Mounts a disk of this size at `at`, which is made; unmounts it whatever happens."""
    at.mkdir(parents=True)
    _mount(at, megabytes)
    try:
        yield
    finally:
        if subprocess.run(["umount", at], capture_output=True, check=False).returncode:
            subprocess.run(["umount", "--lazy", at], check=True)  # a process of a failed test still uses it


def run_where_mounting_is_allowed(scenario: Callable[[Path], None], directory: Path) -> None:
    """Runs `scenario(directory)` here, or where this process may mount; skips where it may not at all."""
    if _may_mount():
        scenario(directory)
        return
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        allowed = subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        missing("mounting a small file system needs root or user namespaces (unshare -rm)")
    program = [sys.executable, "-c", _IN_NAMESPACE, scenario.__module__, scenario.__name__, str(directory)]
    ended = subprocess.run([*namespace, *program], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def fill(disk: Path, *, but_bytes: int) -> Path:
    """Makes a file on the disk, or a longer one, that leaves this many bytes free."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while (free := _free_bytes(disk)) > but_bytes:
            file.write(bytes(min(free - but_bytes, 1 << 20)))
    return ballast


def _free_bytes(disk: Path) -> int:
    state = os.statvfs(disk)
    return state.f_bavail * state.f_frsize


def _mount(at: Path, megabytes: int) -> None:
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "none", at], capture_output=True, check=True
    )


def _may_mount() -> bool:
    with tempfile.TemporaryDirectory() as directory:
        try:
            with small_disk(Path(directory) / "disk", 1):
                return True
        except (subprocess.CalledProcessError, FileNotFoundError):
            return False
