"""CLAUSES.md: every paragraph of the policy and what answers it, a test, a decision or a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.policy import Clause, Policy

_INTRODUCTION = """\
Made from `schemas/policy.toml` by `make schemas`; do not edit. Every paragraph of the policy, what it says, and what
answers it here. *Enforced*: the program makes it true, and the tests named below fail if it does not. *Permitted, not
used*: the policy allows more than is done. *Outside*: the paragraph is about something that this system does not touch.
A paragraph without an answer stops the program, a test that is named and does not exist fails the build, and so does a
paragraph that was there once and is gone without a reason.
"""


def clause_map(policy: Policy) -> str:
    """The page as Markdown."""
    lines = ["# The policy, paragraph by paragraph", ""]
    lines += [f"[{policy.title}]({policy.url}) of {policy.dated}, revision {policy.revision}.", "", _INTRODUCTION]
    lines += ["| paragraph | here | answered by |", "| --- | --- | --- |"]
    lines += [f"| `{clause.id}` | {clause.status} | {_in_short(clause)} |" for clause in policy.clauses]
    lines.append("")
    for clause in policy.clauses:
        lines += _paragraph(policy, clause)
    return "\n".join(lines).rstrip() + "\n"


def _in_short(clause: Clause) -> str:
    tests = f"{len(clause.by)} test{'s' if len(clause.by) > 1 else ''}" if clause.by else ""
    reason = "a decision" if clause.status == "enforced" else "a reason"
    return " and ".join(part for part in (tests, reason if clause.why else "") if part)


def _paragraph(policy: Policy, clause: Clause) -> list[str]:
    lines = [f"## `{clause.id}`", "", f"> {clause.says}", "", f"{clause.status[0].upper()}{clause.status[1:]}."]
    if clause.why:
        lines[-1] += f" {clause.why}"
    permits = [permit for permit in policy.permits_ if permit.clause == clause.id]
    if permits:
        fields = ", ".join(
            f"`{permit.field}` from {', '.join(permit.sources)}{' (withdrawn)' if permit.withdrawn else ''}"
            for permit in permits
        )
        lines += ["", f"Permits {fields}."]
    if clause.by:
        lines += ["", "Tests:", "", *(f"- {_in_words(test)} (`{test.partition('::')[0]}`)" for test in clause.by)]
    return [*lines, ""]


def _in_words(test: str) -> str:
    """A test's name as the sentence that it is."""
    file, _, name = test.partition("::")
    return name.removeprefix("test_").replace("_", " ") if name else f"all of {file.rpartition('/')[2]}"
