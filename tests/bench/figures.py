"""How the figure that a promise is judged by follows from the results of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import names
from tests.bench.results import NotMeasuredError, Results

BY_CPU = "by CPU per report: the sender was the limit"
# A floor that had its core for less than this of the time could have done more.
_AT_ITS_LIMIT = 0.9


@dataclass(frozen=True)
class Figure:
    """A figure that a promise is judged by, and on what basis if that is not the usual one."""

    value: float
    basis: str = ""


def rate_ratio(workload: str, ours: str, other: str) -> Callable[[Results], Figure]:
    """Reports a second of ours to the other's; where the sender was the limit of either, of what one CPU second takes.

    It was the other's limit, too, where that had its core and did not use it. Ours may be waiting for the disk.
    """

    def figure(results: Results) -> Figure:
        one, two = results.of(workload, ours), results.of(workload, other)
        costs = [measured["cpu_us"][measured["answers"]]["median"] for measured in (one, two)]
        by_cpu = costs[1] / costs[0]
        if one["sender_bound"] or two["sender_bound"] or two["ran"] + two["waited"] < _AT_ITS_LIMIT:
            return Figure(by_cpu, BY_CPU)
        by_rate = one["reports_per_second"]["median"] / two["reports_per_second"]["median"]
        return Figure(by_rate, f"by CPU per report it is {by_cpu:.3g}x")

    return figure


def cpu_ratio(workload: str, ours: str, other: str) -> Callable[[Results], Figure]:
    """Reports of a CPU second of ours, all processes, to the other's, all processes and the database."""

    def figure(results: Results) -> Figure:
        one, two = (results.of(workload, name)["cpu_us"][names.TOTAL]["median"] for name in (ours, other))
        return Figure(two / one)

    return figure


def rate(workload: str, target: str) -> Callable[[Results], Figure]:
    """Reports a second; where the sender was the limit, of a CPU second of the process that answers."""

    def figure(results: Results) -> Figure:
        one = results.of(workload, target)
        of_a_second = 1e6 / one["cpu_us"][one["answers"]]["median"]
        if one["sender_bound"]:
            return Figure(of_a_second, BY_CPU)
        return Figure(one["reports_per_second"]["median"], f"a CPU second takes {of_a_second:,.0f}")

    return figure


def two_workers_to_one(results: Results) -> Figure:
    """Reports a second if the sender has a core beside the two; else twice the ratio of what one CPU second takes."""
    one, two = (results.of(names.TWO_CORES, name) for name in (names.ONE_WORKER, names.TWO_WORKERS))
    if int(results.content["machine"]["cores"]) > 2 and not (one["sender_bound"] or two["sender_bound"]):
        return Figure(two["reports_per_second"]["median"] / one["reports_per_second"]["median"])
    costs = [measured["cpu_us"][names.WORKER]["median"] for measured in (one, two)]
    return Figure(2 * costs[0] / costs[1], "by CPU per report: the sender needs a core of the two")


def worker_peak(results: Results) -> Figure:
    """Of all workloads that the worker had."""
    peaks = [one["peak_mb"][names.WORKER] for one in results.measurements if names.WORKER in one["peak_mb"]]
    if not peaks:
        raise NotMeasuredError("no worker was measured")
    return Figure(max(peaks))


def of_part(name: str, figure: str) -> Callable[[Results], Figure]:
    """A figure of a part, by its name there."""
    return lambda results: Figure(results.row(name, figure)["value"])
