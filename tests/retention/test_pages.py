"""What the pages for operators say is what the program does."""

from __future__ import annotations

from collector.publish.limits import Limits
from collector.retention.kinds import keepings
from tests.conftest import PROJECT


def table(limits: Limits) -> str:
    lines = ["| kind | days | since | where the limit comes from | who deletes |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {one.kind} | {one.days} | {one.since} | {one.because} | {one.enforced} |" for one in keepings(limits)]
    return "\n".join(lines) + "\n"


def test_operators_are_told_how_long_things_are_kept(limits: Limits) -> None:
    page = (PROJECT / "deploy/OPERATING.md").read_text(encoding="utf-8")
    assert f"\n\n{table(limits)}\n" in page, f"deploy/OPERATING.md needs:\n\n{table(limits)}"
    assert f"31 + {limits.keep_after_release_days} = {limits.counted_days} days" in page
    assert f"may be {limits.late_days} days\nlate" in page
