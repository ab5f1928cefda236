"""Which promises a run's results hold."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.promises import JUDGED_BY_PARTS, PROMISES, Promise
from tests.bench.results import NotMeasuredError, Results


@dataclass(frozen=True)
class Verdict:
    """How a promise fares, in words and figures.

    Attributes:
        name, text, target: what is promised.
        value, unit: what was measured; None if nothing was.
        holds: whether it does; None if nobody knows.
        note: on what basis, what bounds it, or why it was not measured.
    """

    name: str
    text: str
    target: str
    value: float | None
    unit: str
    holds: bool | None
    note: str


def judge(results: Results) -> list[Verdict]:
    """All promises, in their order, then those that parts judge themselves."""
    return [_verdict(promise, results) for promise in PROMISES] + [
        verdict for part in JUDGED_BY_PARTS for verdict in _verdicts_of(part, results)
    ]


def _verdict(promise: Promise, results: Results) -> Verdict:
    target = f"{promise.relation} {promise.target:,g}"
    try:
        figure = promise.figure(results)
    except NotMeasuredError as error:
        return Verdict(promise.name, promise.text, target, None, promise.unit, None, str(error))
    holds = promise.holds_with(figure.value)
    note = ". ".join(part for part in (figure.basis, "" if holds else promise.bounded_by) if part)
    return Verdict(promise.name, promise.text, target, figure.value, promise.unit, holds, note)


def _verdicts_of(part: str, results: Results) -> list[Verdict]:
    """Those of a part: `{"name", "target", "measured", "holds", "bound_by"}` each, the target in words."""
    told = results.content["parts"].get(part, {}).get("promises", [])
    if not told:
        return [Verdict(part, JUDGED_BY_PARTS[part], "", None, "", None, results.why_not(part))]
    return [
        Verdict(part, one["name"], one["target"], one["measured"], "", one["holds"], one["bound_by"]) for one in told
    ]
