"""Writes deploy/CAPACITY.md: what one box, ten boxes and a cluster carry, by the sums of `collector capacity`.

`make schemas` runs it, and whoever has measured costs anew; a test fails when the page and the program differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from collector.capacity import model, words
from collector.capacity.costs import Costs, read_file
from collector.capacity.model import most_reports, needs
from collector.capacity.question import read
from schemas.markdown import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from collector.capacity.costs import CostsFile
    from collector.capacity.fleet import Box, Fleet
    from collector.capacity.model import Needs

PAGE = Path(__file__).parent.parent.parent / "deploy" / "CAPACITY.md"
_PERMITTED_DAYS = 60

_HEAD = """\
# What a collector carries

Made from the program and its measured costs by `make schemas`; do not edit. `collector capacity` prints the same for a
fleet of your own, with `--format json` for programs.
"""

_READING = """\
The sums are made from what one report costs on one machine. Nothing near the larger fleets was run: they are starting
points, to be watched with `collector status` and the [alerts](prometheus/README.md). [CLUSTER.md](CLUSTER.md) tells how
the parts are put on several machines.
"""

_RULES = f"""\
## Rules that are not measured

- **Peak.** The busiest hour brings `--peak-factor` times the mean: 3 unless you say otherwise. Boots follow working
  hours, deployments and the full hour; a fleet in one time zone, or with a nightly restart, has more. Your own figure:
  the highest hour of `rate(telemetry_received_total[1h])` over its mean.
- **Burst.** In that hour a box is to be `--target-utilisation` busy (0.5), so 1 / 0.5 times as many reports are still
  served at once. What comes beyond that waits in the listening socket or is answered with 503 and comes again; clients
  keep a report for 7 days.
- **Spare.** Of several boxes that take reports one may be away. Not so of ClickHouse servers: reports wait in the spool
  meanwhile, and there is room for {model.SPOOL_DAYS} day of them.
- **Night.** A day is to be out by 02:00 UTC, {model.CLOSING_SECONDS // 60} minutes after its closing begins. Ids
  are compared with those of the 14 days before, which are read again for each 32 million reports of a server's day, so
  what a closing costs for each report grows with the day. Servers are counted one after the other.
- **Disk.** {model.RECEIVED_DAYS} days of received reports and `--retention` days of counted ones,
  {model.ROOM_FOR_MERGES} times for merges; {model.BACKUPS} backups, each a full copy (`--keep-days 7` and the one being
  written); {100 * model.DISK_RESERVE:.0f} % free (`reserve_percent`). Sizes are of all boxes together: those that take
  reports share the spool, the servers share the private counts, published cells lie on the first one.
- **Memory.** Processes, {model.IN_FLIGHT_MIB} MiB for each worker's batches (`max_in_flight_bytes`) and
  {model.SYSTEM_MIB} MiB of the system, and as much again for files that are kept in memory.
- **TLS** is that of the collector itself. A proxy on the same box is not counted in; the collector behind it has
  `--share-keepalive 1` or `--share-new 1`.
- **Looking at the counts** is not counted in: pages are made ready once after a release.
"""


class Example(NamedTuple):
    """The largest fleet that so many boxes carry, as it is asked about."""

    name: str
    boxes: int
    products: str
    cores: str

    def options(self, costs: Costs) -> dict[str, str]:
        """The options of `collector capacity`, by name."""
        given = {"products": self.products, "cores": self.cores}
        millions = most_reports(*_asked(given | {"reports_per_day": "1"}), self.boxes, costs) / 1e6
        return {"reports_per_day": f"{millions:g}M"} | given

    def command(self, costs: Costs) -> str:
        """What a person would type."""
        given = self.options(costs).items()
        return " ".join(["collector capacity", *(f"--{name.replace('_', '-')} {text}" for name, text in given)])


EXAMPLES = (
    Example("one box", 1, products="50", cores="2"),
    Example("ten boxes", 10, products="200", cores="4"),
    Example("a cluster of thirty", 30, products="500", cores="16"),
)


def page() -> str:
    """The page."""
    file = read_file()
    costs = file.figures()
    asked = [_asked(example.options(costs)) for example in EXAMPLES]
    found = [needs(fleet, box, costs) for fleet, box in asked]
    parts = [_HEAD, *table(("", *(example.name for example in EXAMPLES)), _overview(asked, found)), "", _READING]
    for example, (fleet, box), needed in zip(EXAMPLES, asked, found, strict=True):
        parts += [f"## {example.name.capitalize()}", "", f"```sh\n{example.command(costs)}\n```", ""]
        parts += [words.verdict(box, needed), ""]
        parts += [*table(("what", "needed", "how it follows"), words.lines(fleet, box, needed, costs)), ""]
    return "\n".join([*parts, _RULES, *_measured(file)]) + "\n"


def _asked(given: dict[str, str]) -> tuple[Fleet, Box]:
    """Fleet and box, the rest as `collector capacity` has it by itself with the shipped policy."""
    return read({"retention": "41d", "peak_factor": "3", "target_utilisation": "0.5"} | given, _PERMITTED_DAYS)


def _overview(asked: Sequence[tuple[Fleet, Box]], found: Sequence[Needs]) -> Iterable[Sequence[str]]:
    both = list(zip(asked, found, strict=True))
    yield "**reports a day**, at the most", *(words.large(fleet.reports_per_day) for (fleet, _), _ in both)
    yield "products", *(f"{fleet.products:,}" for (fleet, _), _ in both)
    yield "peak, reports a second", *(f"{n.peak_per_second:,.0f}" for n in found)
    yield "boxes", *(f"{n.boxes} of {box.cores} cores, {n.memory_gib} GB" for (_, box), n in both)
    yield "that take reports", *(str(n.ingest_boxes) for n in found)
    yield "workers, in all", *(str(n.workers) for n in found)
    yield "ClickHouse servers", *(str(n.shards or "none: the embedded engine") for n in found)
    yield "busiest box at the peak", *(f"{100 * n.busiest:.0f} %" for n in found)
    yield "closing of a day", *(words.duration(n.closing_seconds) for n in found)
    yield "disk: spool, the store away for a day", *(words.size(n.steady.spool) for n in found)
    yield "disk: private counts", *(words.size(n.steady.private) for n in found)
    yield "disk: published cells, a year", *(words.size(n.year.public) for n in found)
    yield "disk: backups", *(words.size(n.steady.backups) for n in found)
    yield "network at the peak", *(f"{n.peak_megabits:,.1f} Mbit/s" for n in found)


def _measured(file: CostsFile) -> list[str]:
    rows = [
        (field.description or "", f"{entry.value:,.3g}" if entry.value < 1000 else f"{entry.value:,.0f}", _unit(name),  # noqa: PLR2004
         entry.source, entry.measured_on.isoformat())
        for name, field in Costs.model_fields.items()
        if (entry := file.costs[name])
    ]  # fmt: skip
    head = [
        "## What was measured",
        "",
        f"On {file.machine}; `make bench` measures all of it again and writes this page.",
        "",
    ]
    return head + table(("cost", "", "unit", "how", "on"), rows)


def _unit(name: str) -> str:
    if name.endswith("_us"):
        return "us of CPU"
    if "_mib" in name:
        return "MiB"
    return "bytes" if name.endswith("_bytes") else "cells"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
