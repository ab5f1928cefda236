"""What changed in the policy, for the page that everybody can read: from the recorded revisions, by comparing them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from schemas.policy_changes import Change, changes
from schemas.record import revisions

if TYPE_CHECKING:
    from schemas.policy import Policy


def what_changed(policy: Policy) -> list[str]:
    """Lines of Markdown: each revision up to `policy` and what it changed, the latest first.

    A policy with another id is an operator's own; its history is not recorded here, and it is not compared.
    """
    recorded = [earlier for earlier in revisions() if earlier.id == policy.id]
    lines = ["## What changed", ""]
    if not recorded:
        return [*lines, "This collector works with a policy of its own, whose earlier revisions are not kept here.", ""]
    known = {earlier.revision: earlier for earlier in recorded}
    states = [known[number] for number in sorted(known) if number <= policy.revision]
    if not states or states[-1] != policy:
        states.append(policy)
    for before, after in reversed(list(pairwise(states))):
        differs = known.get(after.revision, after) != after
        own = ", as this collector's operator changed it" if differs else ""
        lines += [f"### Revision {after.revision}{_day(after)}{own}", "", *_told(changes(before, after)), ""]
    first = states[0]
    lines += [f"### Revision {first.revision}{_day(first)}", "", "- The first one.", ""]
    return lines


def _day(policy: Policy) -> str:
    return f", {policy.revised}" if policy.revised else ""


def _told(found: list[Change]) -> list[str]:
    # An answer is a list of tests and a reason, which the table of clauses tells as it is now.
    answers = ", ".join(f"`{change.about}`" for change in found if change.kind == "answer")
    lines = [f"- {change.says}" for change in found if change.kind != "answer"]
    lines += [f"- Answered by other tests, or in other words: {answers}."] if answers else []
    return lines or ["- Nothing but words beside the terms."]
