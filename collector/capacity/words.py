"""What a fleet needs, in words: a verdict, and for each number one line that says how it follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from collector.capacity.fleet import Way
from collector.capacity.model import (
    BACKUPS,
    CLOSING_SECONDS,
    DISK_RESERVE,
    LONGEST_MONTH_DAYS,
    ROOM_FOR_MERGES,
)

if TYPE_CHECKING:
    from collector.capacity.costs import Costs
    from collector.capacity.fleet import Box, Fleet
    from collector.capacity.model import Needs

_LONG_NIGHT_HOURS = 24
# Where a fraction says nothing more.
_WHOLE_FROM = 10
_WAYS = {
    Way.TLS: "new TLS connections",
    Way.NEW: "new connections",
    Way.KEEPALIVE: "kept connections",
    Way.BATCH: "batches",
}


class Line(NamedTuple):
    """One number: what it is of, the number with its unit, and how it follows."""

    what: str
    needed: str
    follows: str


def verdict(box: Box, needs: Needs) -> str:
    """Whether one box carries it, or what does."""
    size = f"{box.cores} core{'s' if box.cores > 1 else ''} and {needs.memory_gib} GB"
    busy = f"{_percent(needs.busiest)} busy at the peak"
    if needs.is_one_box:
        return f"One box of {size} carries this, {busy}."
    servers = f"{needs.shards} ClickHouse servers as shards" if needs.shards > 1 else "1 ClickHouse server"
    told = (
        f"{needs.boxes} boxes of {size} carry this: {needs.ingest_boxes} take reports (one of them may be away), "
        f"{servers}, 1 publishes and answers; the busiest is {busy}."
    )
    return told if needs.is_out_in_time else f"{told} {_late(needs)}"


def _late(needs: Needs) -> str:
    closing = needs.closing_seconds / 3600
    if closing >= _LONG_NIGHT_HOURS:
        return "But closing a day takes longer than a day: take servers with more cores."
    return (
        f"But a day's closing takes {duration(needs.closing_seconds)} and is not out by 02:00 UTC: shards are counted "
        "one after the other, so take servers with more cores for that, not more servers."
    )


def lines(fleet: Fleet, box: Box, needs: Needs, costs: Costs) -> list[Line]:
    """Every number, in the order in which they follow from one another."""
    return [
        *_traffic(fleet, box, needs),
        *_processes(box, needs, costs),
        *_night(fleet, box, needs, costs),
        *_disk(fleet, needs, costs),
    ]


def _traffic(fleet: Fleet, box: Box, needs: Needs) -> list[Line]:
    mix = " and ".join(f"{_percent(share)} {_WAYS[way]}" for way, share in fleet.shares.items() if share)
    wire = needs.network_bytes_a_day / fleet.reports_per_day
    burst = needs.peak_per_second / box.target_utilisation
    return [
        Line("reports a second", short(needs.mean_per_second), f"{large(fleet.reports_per_day)} a day / 86,400"),
        Line(
            "at the peak",
            short(needs.peak_per_second),
            f"{fleet.peak_factor:g} times that in the busiest hour; a burst of {short(burst)} is served at once",
        ),
        Line(
            "network at the peak",
            f"{short(needs.peak_megabits)} Mbit/s",
            f"{wire:,.0f} bytes a report, both ways: {mix}; {size(needs.network_bytes_a_day)} a day",
        ),
    ]


def _processes(box: Box, needs: Needs, costs: Costs) -> list[Line]:
    target = _percent(box.target_utilisation)
    boxes = (
        Line("boxes", "1", f"workers and store in {box.usable_cores:g} of {box.cores} cores, and closing in time")
        if needs.is_one_box
        else Line(
            "boxes that take reports",
            str(needs.ingest_boxes),
            f"{short(needs.worker_cores)} cores / ({box.cores} at {target}), and one that may be away",
        )
    )
    shards = (
        Line("ClickHouse servers", "none", "the embedded engine, in the store process")
        if needs.is_one_box
        else Line("ClickHouse servers", str(needs.shards), "the fewest that load the peak and close in time")
    )
    return [
        Line("worker cores", short(needs.worker_cores), f"{short(needs.worker_us)} us of CPU a report at the peak"),
        Line("workers", str(needs.workers), f"that, each at most {target} busy; in all, --workers on each box"),
        Line("store cores", short(needs.loading_cores), f"{short(costs.store_load_us)} us of CPU a report at the peak"),
        boxes,
        shards,
        Line(
            "memory of a box",
            f"{needs.memory_gib} GB",
            f"to take reports {needs.ingest_mib:,.0f} MiB, to close a day {needs.store_mib:,.0f} MiB; half stays free",
        ),
    ]


def _night(fleet: Fleet, box: Box, needs: Needs, costs: Costs) -> list[Line]:
    late = "" if needs.is_out_in_time else f"; LATE, {duration(CLOSING_SECONDS)} would be in time"
    millions = fleet.reports_per_day / max(1, needs.shards) / 1e6
    return [
        Line(
            "closing at night",
            duration(needs.closing_seconds),
            f"{short(costs.closing_day_us)} us a report and {short(costs.closing_growth_us)} us for each of a server's "
            f"{short(millions)} million, on {_cores(box)}{late}",
        ),
        Line(
            "at a month's end",
            duration(needs.month_end_seconds),
            f"and {short(costs.closing_month_us)} us for each report of {LONGEST_MONTH_DAYS} days",
        ),
    ]


def _disk(fleet: Fleet, needs: Needs, costs: Costs) -> list[Line]:
    first, steady, year = needs.first_day, needs.steady, needs.year
    days = fleet.retention_days
    return [
        Line("spool", size(steady.spool), f"{short(costs.spool_bytes)} bytes a report, a day without the store"),
        Line(
            "private counts",
            size(steady.private),
            f"{short(costs.counted_bytes)} bytes a report for {days} days, {short(costs.received_bytes)} for two, "
            f"{ROOM_FOR_MERGES:g} times for merges; {size(first.private)} after a day",
        ),
        Line(
            "published cells",
            size(year.public),
            f"after a year, {large(needs.cells_a_year)} cells of {short(costs.cell_bytes)} bytes: "
            f"{short(costs.cells_per_product_day)} a product and day, {fleet.products:,} products",
        ),
        Line(
            "backups",
            size(steady.backups),
            f"{BACKUPS} of {size(steady.backups / BACKUPS)}, {short(costs.backup_report_bytes)} bytes a report",
        ),
        Line(
            "disk in all",
            size(steady.total),
            f"after {days} days, {_percent(DISK_RESERVE)} free; {size(first.total)} after a day, "
            f"{size(year.total)} after a year",
        ),
    ]


def large(count: float) -> str:
    """A large number as one says it: 50 million."""
    for unit, name in ((1e9, " billion"), (1e6, " million")):
        if count >= unit:
            return f"{float(f'{count / unit:.3g}'):,g}{name}"
    return f"{count:,.0f}"


def size(count: float) -> str:
    """Bytes in units of a thousand, as disks are sold."""
    for unit, name in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{float(f'{count / unit:.2g}'):,g} {name}"
    return f"{count / 1e3:.1f} kB"


def duration(seconds: float) -> str:
    """A length of time in its largest unit; minutes up to two hours."""
    for unit, name, least in ((86_400, "days", 172_800), (3_600, "h", 7_200), (60, "min", 60)):
        if seconds >= least:
            return f"{float(f'{seconds / unit:.2g}'):,g} {name}"
    return f"{max(1, round(seconds))} s"


def short(value: float) -> str:
    """A number with no more digits than are worth reading."""
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{float(f'{value:.2g}'):g}"


def _cores(box: Box) -> str:
    return f"{box.usable_cores:g} core{'' if box.usable_cores == 1 else 's'}"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 1 else f"{percent:.1g} %" if percent >= 0.01 else "less than 0.01 %"  # noqa: PLR2004
