"""A minimal Debian with systemd, made once by debootstrap and never written to: every test gets an overlay of it.

It lies in the user's cache directory. Its name holds a hash of what is in it, so another list of packages makes
another tree.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import PROJECT, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUITE = "bookworm"
# Everything a client may use is in the tree; a test takes away what its image does not have.
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "busybox", "ca-certificates", "curl", "wget", "openssl"),
    *("python3-minimal", "libpython3-stdlib"),
)
INSTALL = PROJECT / "deploy" / "images" / "install.sh"


def needed(*tools: str) -> None:
    """Skips the test where one of these programs, or root, is missing."""
    for tool in tools:
        if shutil.which(tool) is None:
            missing(f"{tool} is missing")
    if os.geteuid() != 0:
        missing("not root: no chroot, overlay or container can be made")


def base_tree(packages: tuple[str, ...] = PACKAGES) -> Path:
    """A tree with these packages, made now if it is not in the cache yet (about a minute)."""
    needed("debootstrap", "mount", "unshare")
    return cached(" ".join(packages), lambda tree: _debootstrap(tree, packages))


def cached(holds: str, make: Callable[[Path], None]) -> Path:
    """A directory in the user's cache that holds what `holds` says, made by `make` if it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "product-telemetry"
    cache.mkdir(parents=True, exist_ok=True)
    name = f"{SUITE}-{hashlib.sha256(holds.encode()).hexdigest()[:12]}"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tree = cache / name
        if not tree.exists():
            part = cache / f"{name}.part"
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(tree)
    return tree


def _debootstrap(tree: Path, packages: tuple[str, ...]) -> None:
    include = "--include=" + ",".join(packages)
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", include, SUITE, tree], capture_output=True, text=True, check=False
    )
    if made.returncode:
        missing(f"debootstrap made no tree: {made.stdout[-500:]}{made.stderr[-500:]}")
    shutil.rmtree(tree / "var/cache/apt", ignore_errors=True)
    shutil.rmtree(tree / "var/lib/apt/lists", ignore_errors=True)
    for file in tree.glob("usr/lib/python3*/**/__pycache__"):
        shutil.rmtree(file)


@dataclass(frozen=True)
class Tree:
    """A writable Debian at `path`; what differs from the trees below it lies in `upper`."""

    path: Path
    upper: Path

    def write(self, absolute: str, text: str, mode: int = 0o644) -> None:
        file = self.path / absolute.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def read(self, absolute: str) -> str:
        file = self.path / absolute.lstrip("/")
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def remove(self, *programs: str) -> None:
        for program in programs:
            for file in self.path.glob(f"usr/*bin/{program}"):
                file.unlink()

    def install(self, *options: str) -> None:
        subprocess.run(["sh", INSTALL, "--root", self.path, *options], check=True)

    def run(
        self, script: str, *, network: str = "", environment: dict[str, str] | None = None, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs a shell script in here as a process tree of its own, in a network of its own or the one named."""
        command = [
            *("systemd-nspawn", "--quiet", "--pipe", "--register=no", "--keep-unit", "--as-pid2"),
            f"--network-namespace-path=/run/netns/{network}" if network else "--private-network",
            *(f"--setenv={name}={value}" for name, value in (environment or {}).items()),
            *("-D", str(self.path), "sh", "-c", script),
        ]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL
        )


@contextlib.contextmanager
def overlay(directory: Path, *lower: Path) -> Iterator[Tree]:
    """A writable tree over others, the upper ones first; gone when the test is."""
    upper, work, merged = (directory / name for name in ("upper", "work", "tree"))
    for made in (upper, work, merged):
        made.mkdir(parents=True)
    # A tmpfs takes no user attributes; ext4, xfs and btrfs do.
    layers = ":".join(str(layer) for layer in lower)
    mounted = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layers},upperdir={upper},workdir={work}", merged],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        missing(f"no overlay can be mounted here: {mounted.stderr}")
    try:
        yield Tree(merged, upper)
    finally:
        subprocess.run(["umount", "--lazy", merged], check=False)
