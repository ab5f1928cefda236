"""Where things are in a data directory.

<data>/lock                 held (flock) by whoever runs on this directory, `serve` or a command
<data>/run/control.sock     the store process of a running `serve` answers local commands here
<data>/run/metrics/         values of the processes' metrics; emptied at start
<data>/run/accepted.json    policy, catalogue and menu that the processes of `serve` read at their start
<data>/run/configuration    fingerprint of the configuration that every process of a running `serve` works with
<data>/spool/<worker>/      rows on disk and not yet in the engine, see ingest/segment.py
<data>/quarantine/          segments that the engine could not parse, see store/quarantine.py
<data>/products.toml        products added by `collector products add`, see added_products.py
<data>/secrets/             peppers, see ingest/pseudonyms.py, and what was forgotten, see forgotten.py
<data>/requests.ndjson      what was asked about licences and withdrawn fields, see request_journal.py
<data>/restored             there from a restore until the collector has erased again what was forgotten since
<data>/backups-kept         for how many days backups of this store are kept, see forgotten.py
<data>/access.sqlite        tokens, sessions, audit trail and hidden values, see reports/access/ledger.py
<data>/engine/              the embedded engine; for a server, the name by which it knows this installation
<data>/engine-before-move-<time>/   the embedded engine that a move has put aside, see moving.py
<data>/known-values.json    values that are published, see ingest/values.py
<data>/last-backup          empty; its time is that of the last backup
<data>/simulated            there if `collector simulate` made the reports in here
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector.settings import Settings


BEFORE_MOVE = "engine-before-move-"


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
    def configuration_mark(self) -> Path:
        """The fingerprint of what a running `serve` works with, one line; written once all its processes do."""
        return self.data / "run" / "configuration"

    @property
    def added_products(self) -> Path:
        """The products added while running."""
        return self.data / "products.toml"

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
    def forgotten(self) -> Path:
        """The pseudonyms that a backup may still bring back."""
        return self.secrets / "forgotten"

    @property
    def requests(self) -> Path:
        """The journal of requests about licences and withdrawn fields."""
        return self.data / "requests.ndjson"

    @property
    def restored(self) -> Path:
        """The mark of a store that came back from a backup, see forgetting.py."""
        return self.data / "restored"

    @property
    def backups_kept(self) -> Path:
        """For how many days backups are kept."""
        return self.data / "backups-kept"

    @property
    def access(self) -> Path:
        """Tokens, sessions, audit trail and hidden values."""
        return self.data / "access.sqlite"

    @property
    def engine(self) -> Path:
        """The embedded engine's directory."""
        return self.data / "engine"

    @property
    def accepted(self) -> Path:
        """The configuration that the processes of `serve` read, see configuration.py."""
        return self.data / "run" / "accepted.json"

    @property
    def known_values(self) -> Path:
        """The values that are published, see ingest/values.py."""
        return self.data / "known-values.json"

    @property
    def last_backup(self) -> Path:
        """The file whose time is that of the last backup."""
        return self.data / "last-backup"

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


def is_held(paths: Layout) -> bool:
    """Whether a process runs on the data directory; changes nothing, and makes nothing."""
    with looking(paths) as is_free:
        return not is_free


@contextmanager
def looking(paths: Layout) -> Iterator[bool]:
    """Keeps others from starting on the directory while it is looked at, if it is free; whether it is.

    Writes nothing. Who wants to start meanwhile waits, as for any command.
    """
    try:
        descriptor = os.open(paths.lock, os.O_RDONLY)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        is_free = False
    else:
        is_free = True
    try:
        yield is_free
    finally:
        os.close(descriptor)


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
