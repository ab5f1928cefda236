"""Where things are in a data directory.

<data>/lock                 held (flock) by whoever runs on this directory, `serve` or a command
<data>/run/control.sock     the store process of a running `serve` answers local commands here
<data>/run/metrics/         values of the processes' metrics; emptied at start
<data>/spool/<worker>/      rows on disk and not yet in the engine, see ingest/segment.py
<data>/quarantine/          segments that the engine could not parse
<data>/secrets/             peppers, see ingest/pseudonyms.py
<data>/engine/              the embedded engine
<data>/simulated            there if `collector simulate` made the reports in here
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from collector.settings import Settings


class DirectoryInUseError(Exception):
    """Another process runs on the data directory."""


@dataclass(frozen=True)
class Layout:
    """The paths inside one data directory."""

    data: Path

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.data / "lock"

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.data / "run" / "control.sock"

    @property
    def metrics(self) -> Path:
        """The directory of the metrics' values."""
        return self.data / "run" / "metrics"

    @property
    def spool(self) -> Path:
        """The directory of the workers' spools."""
        return self.data / "spool"

    @property
    def quarantine(self) -> Path:
        """The directory of segments that could not be parsed."""
        return self.data / "quarantine"

    @property
    def secrets(self) -> Path:
        """The directory of the peppers."""
        return self.data / "secrets"

    @property
    def engine(self) -> Path:
        """The embedded engine's directory."""
        return self.data / "engine"

    @property
    def simulated(self) -> Path:
        """The mark of a directory whose reports were made up."""
        return self.data / "simulated"


def layout(settings: Settings) -> Layout:
    """The data directory of these settings, made if missing; what is made is for its owner alone.

    Raises:
        ConfigurationError: the directory holds something else.
    """
    paths = Layout(settings.data.absolute())
    held = {path.name for path in paths.data.iterdir()} if paths.data.is_dir() else set()
    if held - {"lost+found"} and not held & {"lock", "spool", "engine"}:
        raise ConfigurationError(
            [f"{paths.data} is not empty and holds no collector data; give a directory of its own"]
        )
    for directory in (paths.data, paths.metrics.parent, paths.metrics, paths.spool, paths.quarantine, paths.secrets):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return paths


def hold(paths: Layout, wait_seconds: float, *, for_orphans_only: bool = False) -> int:
    """Takes the data directory for this process and the children that inherit the descriptor.

    Args:
        paths: the data directory.
        wait_seconds: how long to wait for whoever holds it.
        for_orphans_only: wait only where the holders are children of a `serve` that was killed.

    Returns:
        The descriptor that holds the lock; closed, or all its holders gone, the lock is free.

    Raises:
        DirectoryInUseError: someone else holds it.
    """
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() < deadline and not (for_orphans_only and _owner_runs(descriptor)):
                time.sleep(0.1)
                continue
            os.close(descriptor)
            raise DirectoryInUseError(f"{paths.data} is in use by another collector process") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor


def _owner_runs(descriptor: int) -> bool:
    """Whether the process that took the lock still runs; its children may hold it a moment longer."""
    owner = os.pread(descriptor, 20, 0)
    if not owner.isdigit():
        return True
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
