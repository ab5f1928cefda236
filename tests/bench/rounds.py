"""Measures targets in turns, A B C A B C: what disturbs the machine for a while disturbs all of them."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import names
from tests.bench.load import Load, Sent, send
from tests.bench.processes import cpu_seconds, peak_megabytes, waited_seconds
from tests.bench.stages import Stage, Workload
from tests.bench.targets.target import Target
from tests.npm_package import NotAvailableError

# Above this the sender was what limited the rate.
BUSY = 0.95
_WARM_UP_SECONDS = 0.2

Figures = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """How long and how often.

    Attributes:
        rounds: of each workload and target.
        seconds: of each round.
        burst_seconds, burst_machines: how long a burst takes, and how many machines boot in it.
        burst_rounds: of a burst.
        is_quick: whether workloads that are `only_full` are left out.
    """

    rounds: int
    seconds: float
    burst_seconds: float
    burst_machines: int
    burst_rounds: int
    is_quick: bool


QUICK = Plan(3, 0.7, burst_seconds=2, burst_machines=4_000, burst_rounds=1, is_quick=True)
FULL = Plan(7, 3.0, burst_seconds=10, burst_machines=20_000, burst_rounds=3, is_quick=False)


@dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
        sent: what was sent and answered.
        cpu_us: CPU microseconds a report, of each kind of process and of all.
        ran, waited: shares of the time in which the process that answers ran, and was ready to and had no core.
    """

    sent: Sent
    cpu_us: Figures
    ran: float
    waited: float


@dataclass
class Measured:
    """The rounds of one workload and target."""

    workload: Workload
    target: Target
    rounds: list[Round] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """As it stands in the results; three figures of a measure are `median`, `low` and `high`."""
        sent = [one.sent for one in self.rounds]
        costs = [one.cpu_us for one in self.rounds]
        busy = max(one.busy for one in sent)
        statuses = sum((Counter(one.statuses) for one in sent), Counter[str]())
        failures = sum((Counter(one.failures) for one in sent), Counter[str]())
        told: dict[str, Any] = {
            "workload": self.workload.name,
            "target": self.target.name,
            "acknowledges": self.target.acknowledges,
            "answers": next(iter(self.target.processes)),
            "reports_per_second": spread_of([one.reports / one.seconds for one in sent]),
            "cpu_us": {role: spread_of([cost[role] for cost in costs]) for role in costs[0]},
            "busy": busy,
            "ran": statistics.median(one.ran for one in self.rounds),
            "waited": statistics.median(one.waited for one in self.rounds),
            # A burst comes at a pace of its own, whatever the sender could do.
            "sender_bound": busy > BUSY and self.workload.mode != "burst",
            "statuses": dict(sorted(statuses.items())),
            "unexpected": dict(self._unexpected(statuses) | failures),
        }
        if latencies := [one.latency_ms for one in sent if one.latency_ms]:
            told["latency_ms"] = {name: spread_of([one[name] for one in latencies]) for name in latencies[0]}
        return told

    def _unexpected(self, statuses: Counter[str]) -> Counter[str]:
        """Answers that the workload does not ask for: a refused report that was taken is one of them."""
        every = self.workload.refused_every
        refused = sum(sum(one.sent.statuses.values()) // every for one in self.rounds) if every else 0
        expected = Counter({str(self.target.accepts): statuses.total() - refused})
        expected[str(self.target.refuses)] += refused
        return statuses - expected


def spread_of(values: list[float]) -> Figures:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def measure(stage: Stage, plan: Plan, tell: Callable[[str], None]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Starts a stage's targets and sends each workload to each in turn.

    Returns:
        The summaries, with the peak memory of each process at the end of the stage; target -> why it was left out.
    """
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        targets, skipped = [], {}
        for number, (name, starting) in enumerate(stage.targets.items()):
            tell(f"starting {name}")
            own = directory / str(number)
            own.mkdir()
            try:
                targets.append(stack.enter_context(starting(own)))
            except NotAvailableError as error:
                skipped[name] = str(error)
        summaries = []
        for workload in stage.workloads:
            if not (plan.is_quick and workload.only_full):
                summaries += [one.summary() for one in _in_turns(workload, targets, plan, tell)]
        peaks = {
            target.name: {role: max(map(peak_megabytes, ids)) for role, ids in target.processes.items()}
            for target in targets
        }
    return [one | {"peak_mb": peaks[one["target"]]} for one in summaries], skipped


def _in_turns(workload: Workload, targets: list[Target], plan: Plan, tell: Callable[[str], None]) -> list[Measured]:
    measured = [Measured(workload, target) for target in targets]
    is_burst = workload.mode == "burst"
    rounds = plan.burst_rounds if is_burst else plan.rounds
    for one in measured:
        warm_up = dataclasses.replace(load_of(workload, one.target, plan), seconds=_WARM_UP_SECONDS)
        send(dataclasses.replace(warm_up, mode="new connection") if is_burst else warm_up)
        if workload.settles:
            one.target.settle()
    for number in range(rounds):
        for one in measured:
            tell(f"{workload.name}: round {number + 1} of {rounds}, {one.target.name}")
            one.rounds.append(_one_round(load_of(workload, one.target, plan), one))
    return measured


def _one_round(load: Load, one: Measured) -> Round:
    processes = one.target.processes
    answers, answering = next(iter(processes.items()))
    before = {role: sum(map(cpu_seconds, ids)) for role, ids in processes.items()}
    waited = sum(map(waited_seconds, answering))
    sent = send(load)
    waited = sum(map(waited_seconds, answering)) - waited
    ran = sum(map(cpu_seconds, answering)) - before[answers]
    available = sent.seconds * len(answering)
    if one.workload.settles:
        one.target.settle()
    spent = {role: sum(map(cpu_seconds, ids)) - before[role] for role, ids in processes.items()}
    reports = max(1, sent.reports)
    each = {role: seconds / reports * 1e6 for role, seconds in spent.items()}
    return Round(sent, each | {names.TOTAL: sum(each.values())}, ran / available, waited / available)


def load_of(workload: Workload, target: Target, plan: Plan) -> Load:
    """What is sent to this target in a round."""
    is_burst = workload.mode == "burst"
    return Load(
        host=target.host,
        port=target.port,
        wording=target.wording,
        mode=workload.mode,
        seconds=plan.burst_seconds if is_burst else plan.seconds,
        lines=workload.lines,
        refused_every=workload.refused_every,
        machines=plan.burst_machines if is_burst else 0,
        authority=str(target.authority) if target.authority else None,
    )
