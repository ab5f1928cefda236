"""What is kept for longer than it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.doctor.case import Case

_EARLY_DAYS = 1


def check(case: Case) -> Iterator[Finding]:
    """The same as `collector retention status`, and spool segments that soon could not count any more."""
    if case.kept is None:
        if not case.no_answer:
            yield Finding.ok("nothing is held yet")
        return
    over = [row for row in case.kept if row["over"]]
    for row in over:
        place = f" ({row['where']})" if row["where"] != row["kind"] else ""
        yield Finding.problem(
            f"{row['kind']}: the oldest is of {row['oldest']}{place}, kept {row['age_days']} days; "
            f"the limit is {row['limit_days']}",
            row["todo"],
        )
    days = {row["kind"]: row for row in case.kept}
    spool, late = days["spool segments"], days["quarantine"]["limit_days"]
    if not spool["over"] and spool["age_days"] is not None and spool["age_days"] >= late - _EARLY_DAYS:
        yield Finding.problem(
            f"reports of {spool['oldest']} wait in the spool: {late} days after that they count no more, unless no day "
            "was closed meanwhile",
            "see what keeps them from the store (load_failed, store_unreachable in the log)",
        )
    elif not over:
        yield Finding.ok("nothing is kept for longer than it may be: collector retention status")
