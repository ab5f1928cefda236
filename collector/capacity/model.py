"""What a fleet needs, from what a report costs. Pure sums; more to do never needs less in all.

The rules that are not measured stand here, each with its reason, and on the page (deploy/CAPACITY.md):

    peak         the busiest hour brings `peak_factor` times the mean. A second may bring more: processes are planned
                 to be busy to `target_utilisation` in that hour, so 1 / target_utilisation times as much is still
                 served at once; what comes beyond that waits in the listening socket, or is told to come again.
    closing      a day is to be out within CLOSING_SECONDS after its closing begins, by 02:00 UTC. What it costs for
                 each report has a part that grows with the day of a server, which shards divide (the ids of the days
                 before are read once in each pass of REPORTS_A_PASS), and one that they do not: they count their rows
                 one after the other.
    boxes        one box if it can do everything; else boxes that take reports, one more of them for the day that one
                 is away, ClickHouse servers, and a box that publishes and answers.
    disk         see the constants.
    memory       half of a box's memory is left to the system, which keeps files in it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from collector.capacity.fleet import Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collector.capacity.costs import Costs
    from collector.capacity.fleet import Box, Fleet

SECONDS_A_DAY = 86_400
DAYS_A_YEAR = 365
LONGEST_MONTH_DAYS = 31
# From 00:30 UTC on, when a closing begins, to 02:00.
CLOSING_SECONDS = 5_400
# A closing goes through a server's day in passes of so many reports, one after the other, and that is all it holds.
REPORTS_A_PASS = 32_000_000
# The open day, and the one that is being closed.
RECEIVED_DAYS = 2
# How long the store may be away while reports are still taken.
SPOOL_DAYS = 1
# Full copies, one a night: what the shipped unit keeps, and the one being written.
BACKUPS = 8
# A merge writes a part again before it forgets the old one.
ROOM_FOR_MERGES = 1.5
# Below this share of free disk the collector takes no reports (`reserve_percent`).
DISK_RESERVE = 0.05
# What a worker may hold of batches at once (`max_in_flight_bytes`).
IN_FLIGHT_MIB = 64
SYSTEM_MIB = 300
MEMORY_LEFT = 2
# Reports a day in three digits, which is more than is known.
_STEPS: list[int] = [digits * 10**power for power in range(10) for digits in range(100, 1000)]


@dataclass(frozen=True)
class Disk:
    """Bytes on disk after some days of this fleet."""

    spool: float
    private: float
    public: float
    backups: float

    @property
    def total(self) -> float:
        """All of it, with what has to stay free."""
        return (self.spool + self.private + self.public + self.backups) / (1 - DISK_RESERVE)


@dataclass(frozen=True)
class Needs:
    """What a fleet needs. Cores are busy ones, of all boxes together, in the busiest hour; memory is one box's.

    Attributes:
        busiest: how busy the busiest kind of box is in that hour, of 1.
        closing_seconds: a common night's.
        month_end_seconds: the longest night's, when a month is released too.
        is_out_in_time: whether a common night's closing ends by 02:00 UTC.
    """

    mean_per_second: float
    peak_per_second: float
    worker_us: float
    worker_cores: float
    workers: int
    loading_cores: float
    ingest_boxes: int
    shards: int
    boxes: int
    busiest: float
    closing_seconds: float
    month_end_seconds: float
    is_out_in_time: bool
    ingest_mib: float
    store_mib: float
    memory_gib: int
    first_day: Disk
    steady: Disk
    year: Disk
    cells_a_year: float
    peak_megabits: float
    network_bytes_a_day: float

    @property
    def is_one_box(self) -> bool:
        """Whether one machine does everything, with the embedded engine."""
        return self.boxes == 1


def needs(fleet: Fleet, box: Box, costs: Costs) -> Needs:
    """What a fleet needs on boxes of this kind."""
    mean = fleet.reports_per_day / SECONDS_A_DAY
    peak = mean * fleet.peak_factor
    cost = worker_us(fleet.shares, costs)
    worker_cores, loading_cores = peak * cost / 1e6, peak * costs.store_load_us / 1e6
    ingest, shards, busiest = _layout(fleet.reports_per_day, worker_cores, loading_cores, box, costs)
    is_one_box = (ingest, shards) == (1, 0)
    workers = max(1, math.ceil(worker_cores / box.target_utilisation))
    per_shard = fleet.reports_per_day / max(1, shards)
    closing = closing_seconds(fleet.reports_per_day, max(1, shards), box, costs)
    releasing = fleet.reports_per_day * LONGEST_MONTH_DAYS * costs.closing_month_us / 1e6
    ingest_mib = costs.supervisor_mib + math.ceil(workers / ingest) * (costs.worker_mib + IN_FLIGHT_MIB)
    store_mib = store_memory(per_shard, costs)
    sizes = (ingest_mib + store_mib,) if is_one_box else (ingest_mib, store_mib)
    wire = fleet.reports_per_day * _mixed(fleet.shares, _wire_bytes(costs))
    return Needs(
        mean_per_second=mean,
        peak_per_second=peak,
        worker_us=cost,
        worker_cores=worker_cores,
        workers=workers,
        loading_cores=loading_cores,
        ingest_boxes=ingest,
        shards=shards,
        boxes=1 if is_one_box else ingest + shards + 1,
        busiest=busiest,
        closing_seconds=closing,
        month_end_seconds=closing + releasing / box.usable_cores / max(1, shards),
        is_out_in_time=closing <= CLOSING_SECONDS,
        ingest_mib=ingest_mib,
        store_mib=store_mib,
        memory_gib=memory_of_a_box(max(sizes)),
        first_day=disk(fleet, 1, costs),
        steady=disk(fleet, fleet.retention_days, costs),
        year=disk(fleet, DAYS_A_YEAR, costs),
        cells_a_year=cells(fleet, DAYS_A_YEAR, costs),
        peak_megabits=peak / fleet.reports_per_day * wire * 8 / 1e6,
        network_bytes_a_day=wire,
    )


def most_reports(fleet: Fleet, box: Box, boxes: int, costs: Costs) -> int:
    """The most reports a day, in three digits, that so many boxes carry of a fleet that is otherwise like this one."""
    return _STEPS[
        bisect_right(_STEPS, boxes, key=lambda n: needs(replace(fleet, reports_per_day=n), box, costs).boxes) - 1
    ]


def worker_us(shares: Mapping[Way, float], costs: Costs) -> float:
    """CPU microseconds of a worker for a report of this mix."""
    each = {
        Way.TLS: costs.worker_tls_us,
        Way.NEW: costs.worker_new_us,
        Way.KEEPALIVE: costs.worker_keepalive_us,
        Way.BATCH: costs.worker_batch_us,
    }
    return _mixed(shares, each)


def closing_seconds(reports_per_day: float, shards: int, box: Box, costs: Costs) -> float:
    """How long a common night's closing takes, shard after shard."""
    growing = costs.closing_growth_us * reports_per_day / shards / 1e6
    return reports_per_day * (costs.closing_day_us + growing) / 1e6 / box.usable_cores


def store_memory(reports_per_day: float, costs: Costs) -> float:
    """MiB of a store, or of one of its shards, while it closes a day of so many reports."""
    at_once = min(reports_per_day, REPORTS_A_PASS)
    return costs.store_idle_mib + costs.closing_mib + costs.closing_mib_per_million * at_once / 1e6


def memory_of_a_box(mib: float) -> int:
    """GiB of the smallest usual box, from 1 in powers of two, on which so many MiB of processes leave half free."""
    return next(1 << power for power in count() if (1024 << power) >= (SYSTEM_MIB + mib) * MEMORY_LEFT)


def cells(fleet: Fleet, days: int, costs: Costs) -> float:
    """Cells that are published in so many days, of all grains."""
    return fleet.products * days * costs.cells_per_product_day


def disk(fleet: Fleet, days: int, costs: Costs) -> Disk:
    """What lies on all disks together after so many days; the spool is full, as when the store is away for a day."""
    kept = fleet.reports_per_day * min(days, fleet.retention_days)
    published = cells(fleet, days, costs)
    received = fleet.reports_per_day * min(days, RECEIVED_DAYS) * costs.received_bytes
    return Disk(
        spool=fleet.reports_per_day * SPOOL_DAYS * costs.spool_bytes,
        private=(received + kept * costs.counted_bytes) * ROOM_FOR_MERGES,
        public=published * costs.cell_bytes * ROOM_FOR_MERGES,
        backups=min(days, BACKUPS) * (kept * costs.backup_report_bytes + published * costs.backup_cell_bytes),
    )


def _layout(
    reports_per_day: float, worker_cores: float, loading_cores: float, box: Box, costs: Costs
) -> tuple[int, int, float]:
    """Boxes that take reports, ClickHouse servers (0: one box does everything), and how busy the busiest kind is."""
    together = worker_cores + loading_cores
    if together <= box.usable_cores and closing_seconds(reports_per_day, 1, box, costs) <= CLOSING_SECONDS:
        return 1, 0, together / box.cores
    needed = max(1, math.ceil(worker_cores / box.usable_cores))
    shards = _shards(reports_per_day, loading_cores, box, costs)
    return needed + 1, shards, max(worker_cores / needed, loading_cores / shards) / box.cores


def _shards(reports_per_day: float, loading_cores: float, box: Box, costs: Costs) -> int:
    """The fewest servers that load at the peak and close in time.

    Where no number of them closes in time, because of the part that they do not divide, the other part is to take no
    longer than that one.
    """
    counting = costs.closing_day_us * reports_per_day
    growing = costs.closing_growth_us * reports_per_day * reports_per_day / 1e6
    for_closing = growing / max(CLOSING_SECONDS * box.usable_cores * 1e6 - counting, counting)
    return max(1, math.ceil(loading_cores / box.usable_cores), math.ceil(for_closing))


def _wire_bytes(costs: Costs) -> Mapping[Way, float]:
    return {
        Way.TLS: costs.wire_tls_bytes,
        Way.NEW: costs.wire_new_bytes,
        Way.KEEPALIVE: costs.wire_keepalive_bytes,
        Way.BATCH: costs.wire_batch_bytes,
    }


def _mixed(shares: Mapping[Way, float], each: Mapping[Way, float]) -> float:
    return math.fsum(share * each[way] for way, share in shares.items())
