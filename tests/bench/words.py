"""Results in words: the cells of the tables in the terminal and on the page."""

from __future__ import annotations

from typing import Any

from tests.bench import names
from tests.bench.results import Results
from tests.bench.row import Row
from tests.bench.verdicts import Verdict

MEASURED = ("target", "reports/s", "CPU us, answering", "CPU us, whole", "peak MB", "acknowledged is", "notes")
NUMBERS = frozenset({"reports/s", "CPU us, answering", "CPU us, whole", "value"})
PROMISED = ("promise", "of what", "target", "measured", "holds", "notes")
_WORTH_TELLING = 0.01
FIGURES = ("figure", "value", "unit", "notes")


def measured(one: dict[str, Any]) -> tuple[str, ...]:
    """The row of a measurement under MEASURED."""
    cost = one["cpu_us"]
    return (
        one["target"],
        spread(one["reports_per_second"]),
        spread(cost[one["answers"]]),
        spread(cost[names.TOTAL]),
        ", ".join(f"{role} {number(peak)}" for role, peak in one["peak_mb"].items()),
        one["acknowledges"],
        "; ".join(_notes(one)),
    )


def promised(verdict: Verdict) -> tuple[str, ...]:
    """The row of a promise under PROMISED."""
    holds = {True: "yes", False: "NO", None: "?"}[verdict.holds]
    value = "not measured" if verdict.value is None else f"{number(verdict.value)} {verdict.unit}".strip()
    target = f"{verdict.target} {verdict.unit}".strip()
    return (verdict.name, verdict.text, target, value, holds, verdict.note)


def figure(one: Row) -> tuple[str, ...]:
    """The row of a part's figure under FIGURES."""
    return (
        one["name"],
        spread({"median": one["value"], "low": one["low"], "high": one["high"]}),
        one["unit"],
        one.get("note", ""),
    )


def heading(results: Results) -> str:
    """Which run it was."""
    content = results.content
    kind = "quick run: rough figures" if content["quick"] else "full run"
    return (
        f"{kind}, {content['on']}, commit {content['commit'] or 'unknown'}; "
        f"{content['rounds']} rounds of {content['seconds']:g} s in turns; median (lowest to highest)"
    )


def spread(figures: dict[str, float]) -> str:
    """Median, and the lowest and highest if they are others."""
    middle, low, high = (number(figures[name]) for name in ("median", "low", "high"))
    return middle if low == middle == high else f"{middle} ({low} to {high})"


def number(value: float) -> str:
    """Three digits or more: 0.612, 14.5, 1,413."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def _notes(one: dict[str, Any]) -> list[str]:
    notes = []
    if one["sender_bound"]:
        notes.append("sender-bound: the rate is a lower bound")
    elif "latency_ms" not in one:
        # Of a program with many threads the kernel tells of one.
        waiting = f", waiting for it {one['waited']:.0%} of the time" if one["waited"] > _WORTH_TELLING else ""
        notes.append(f"answering took {one['ran']:.0%} of a core{waiting}")
    if "latency_ms" in one:
        notes.append(
            "answered after " + ", ".join(f"{k} {number(v['median'])} ms" for k, v in one["latency_ms"].items())
        )
    if one["unexpected"]:
        told = ", ".join(f"{count} x {what}" for what, count in one["unexpected"].items())
        notes.append(f"UNEXPECTED: {told}")
    return notes
