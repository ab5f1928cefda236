"""What one collector's disk and configuration are like, as gauges; looked at when somebody asks for /metrics.

The supervisor looks, so that the answer is there while the store hangs or a worker is started again. However often
it is asked, the disk is looked at once a second, and no report waits for it.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import threading
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from collector import metrics
from collector.ingest.pseudonyms import Peppers
from collector.ingest.segment import OPEN, SEALED, SUFFIX
from collector.ingest.tls import CertificateError, valid_until
from collector.ingest.waiting import Waiting
from collector.roles import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prometheus_client import Gauge

    from collector.configuration import Configuration
    from collector.layout import Layout
    from collector.settings import Settings

_LOOK_EVERY_SECONDS = 1
_RESULTS = ("done", "refused", "failed")
_ONE_DAY = dt.timedelta(days=1)


class Condition:
    """The condition of one data directory and of what the operator wrote.

    Args:
        settings: where the certificate is, and the limits of disk and spool.
        role: which part of a collector this is; a part says nothing of what it has no part in.
        paths: the data directory.
    """

    def __init__(self, settings: Settings, role: Role, paths: Layout) -> None:
        self._settings = settings
        self._role = role
        self._paths = paths
        self._peppers = Peppers(paths.secrets, makes=False)
        self._looking = threading.Lock()
        self._looked_at = float("-inf")

    def begin(self, configuration: Configuration) -> None:
        """Says what was started, when, and with which configuration."""
        metrics.BUILD.labels(version("product-telemetry")).set(1)
        metrics.STARTED.set(time.time())
        for result in _RESULTS:
            metrics.RELOADS.labels(result)  # there from the start, so that the first one is seen to be an increase
        self.take(configuration)

    def take(self, configuration: Configuration) -> None:
        """Says until when what was read now holds: it is what all processes work with."""
        metrics.LAST_RELOAD_TAKEN.set(1)
        if not self._role.takes_reports:
            return
        ends = min(permit.expires for permit in configuration.policy.permits_ if not permit.withdrawn)
        metrics.PERMIT_ENDS.set(_timestamp(ends + _ONE_DAY))
        if self._settings.tls_certificate and self._settings.tls_key:
            try:
                until = valid_until(self._settings.tls_certificate, self._settings.tls_key)
            except CertificateError:
                metrics.CERTIFICATE_ENDS.set(math.nan)
            else:
                metrics.CERTIFICATE_ENDS.set(until.timestamp())

    def refuse(self) -> None:
        """Says that what was read now is not what is worked with."""
        metrics.LAST_RELOAD_TAKEN.set(0)

    def look(self, today: dt.date) -> None:
        """Looks again if the last look is a second old. Blocking."""
        with self._looking:
            if time.monotonic() - self._looked_at < _LOOK_EVERY_SECONDS:
                return
            if self._role.takes_reports:
                self._look(today)
            if self._role.publishes:
                _set((metrics.LAST_BACKUP,), self._last_backup)
            self._looked_at = time.monotonic()

    def _look(self, today: dt.date) -> None:
        _set((metrics.DISK_FREE_BYTES, metrics.DISK_RESERVE_BYTES), self._disk)
        _set((metrics.WAITING_BYTES, metrics.OLDEST_WAITING_SECONDS), self._waiting)
        _set((metrics.QUARANTINE_SEGMENTS,), self._quarantine)
        if self._settings.max_spool_bytes:
            metrics.WAITING_LIMIT_BYTES.set(self._settings.max_spool_bytes)
        if self._role is Role.INGEST:  # `collector serve` makes its own
            metrics.PEPPERS_END.set(_timestamp(self._peppers.there_before(today)))

    def _disk(self) -> tuple[float, ...]:
        disk = os.statvfs(self._paths.data)
        reserve = disk.f_blocks * self._settings.reserve_percent / 100
        return disk.f_bavail * disk.f_frsize, math.ceil(reserve) * disk.f_frsize

    def _waiting(self) -> tuple[float, ...]:
        found = [Waiting(directory) for directory in self._paths.spool.iterdir() if _is_of_a_worker(directory)]
        for one in found:
            one.look()
        oldest = min((one.oldest for one in found if one.oldest), default=0.0)
        return sum(one.bytes for one in found), max(0.0, time.time() - oldest) if oldest else 0.0

    def _quarantine(self) -> tuple[float, ...]:
        return (sum(entry.name.endswith(SUFFIX) for entry in os.scandir(self._paths.quarantine)),)

    def _last_backup(self) -> tuple[float, ...]:
        return (self._paths.last_backup.stat().st_mtime,)


def _set(gauges: tuple[Gauge, ...], look: Callable[[], tuple[float, ...]]) -> None:
    """Sets gauges to what is found, or to "not a number": what cannot be looked at is not what it was."""
    try:
        values = look()
    except OSError:
        values = (math.nan,) * len(gauges)
    for gauge, value in zip(gauges, values, strict=True):
        gauge.set(value)


def _is_of_a_worker(directory: Path) -> bool:
    return (directory / OPEN).is_dir() and (directory / SEALED).is_dir()


def _timestamp(day: dt.date) -> float:
    return dt.datetime.combine(day, dt.time(tzinfo=dt.UTC)).timestamp()
