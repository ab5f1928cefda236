"""DATA.md: for people, everything a report may hold, why, for how long, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.outcomes import Outcome
from schemas.policy_history import what_changed
from schemas.reports import REPORTS, Report, json_schema
from schemas.weaknesses import by_subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.policy import Clause, Policy

_INTRODUCTION = """\
A report says what runs where, and nothing else: no time finer than the day it arrived, no IP address, no host
name, no account, no identifier of the machine. A report that holds anything else is rejected and not stored.

This page is generated from `schemas/policy.toml` and the report models, which the program obeys too. For each report
there are two tables: what each field is, why, for how long and who sees it; and by what it is permitted, who answers
for that, when that was last looked at and until when it holds. What changed, and when, is at the end."""

# Who gets to see what a field held. A test holds that every field has an entry.
SEEN: dict[str, str] = {
    "report_id": "Nobody. It tells a retry from a second report and is in no published count.",
    "source": "Readers, as published counts by week and month.",
    "product": "Readers, as published counts; it is what every count is of.",
    "product_version": "Readers, as published counts; of InstallBuilder by month only.",
    "os_version": "Readers, as published counts by week and month; of InstallBuilder by month only.",
    "instance_type": "Readers, as published counts by week and month.",
    "language": "Readers, as published counts by week and month; of InstallBuilder by month only.",
    "license_key": "Nobody. Readers see how many different licences there are in a month.",
}

_LIFE = """\
## What becomes of a report

- **Nothing is sent before somebody says so.** A person switches it on, or whoever ships an image sets that as its
  default and a notice comes before the first report. InstallBuilder asks.
- **Switching off:** `telemetry-client off`, `telemetry = off` in `/etc/telemetry-client/config`, or `TELEMETRY=off` or
  `DO_NOT_TRACK=1` in the environment of the program that sends. Any one is enough; nothing is sent then, not even
  that it was switched off. A report that could not be delivered waits on the machine for at most 7 days; one with
  a licence key does not wait at all. There is no switch for a single field: off is off for all of them. The operator
  can withdraw a field for everybody; it is then left empty on arrival, whatever old clients send.
- **Stored** by the operator of the collector, on the collector's own disk, in a database that people who read the
  numbers cannot reach. A licence key is replaced, before anything is written, by a keyed hash (HMAC-SHA256) under a
  random secret of the quarter; with the next quarter's secret the same key gives another hash.
- **Counted** once the day is over, then published only as protected counts: at least 10 reports or licences behind
  each number, random noise on each number, and nothing at all where the number would not clearly stand out of that
  noise (below about 40 reports or 82 licences, in the standard profile). At 06, 12 and 18 UTC the boots of the day so
  far are published in the same way, by product and version only, with four times the noise; never licences.
- **How well that protects** is worked out and tested: everything published together changes what anybody could
  believe about a single report or licence by a stated bound, and attacks on it are scored (`collector privacy`).
- **Read** by people who sign in, as published counts only. Signing in sets one strictly necessary cookie, a random
  number that lasts until the browser closes and 7 days at most; there are no others. Who viewed which page, with its
  parameters, is recorded for 13 months, to show who had access: no network address, no browser, no numbers.
- **Dropped** once the month is published and 10 more days have passed, at the latest after the days given above.
  Published counts stay."""

_LEGEND = """\
*By clause* names the paragraph of the policy that permits the field. *Named*: the paragraph names it. *Such as*: the
paragraph gives examples, and the person in brackets signed this one off. *Counting*: needed so that a report that is
sent twice is not counted twice. *Readers* are people who sign in to see the counts, and, by month and rounded, those
whom the operator gives trends to. *Permitted until*: the last day without another review. A day that has passed means
that the review is overdue; the field is still taken until somebody decides, and the collector raises an alarm."""


def data_dictionary(policy: Policy) -> str:
    """The page as Markdown."""
    lines = ["# What is collected", ""]
    about = f"Policy: [{policy.title}]({policy.url}) of {policy.dated}. Contact: {policy.contact}."
    revised = f" of {policy.revised}" if policy.revised else ""
    lines += [f"{about} This page: revision {policy.revision}{revised}.", ""]
    lines += [_INTRODUCTION, ""]
    for report in REPORTS.values():
        lines += _report(policy, report)
    lines += [_LEGEND, "", _LIFE, ""]
    lines += ["## Allowed by the policy, and not collected", ""]
    lines += [
        f'- `{c.id}`: the policy says "{c.says}" {c.why}' for c in policy.clauses if c.status == "permitted, not used"
    ]
    lines += _weaknesses()
    lines += ["", "## What the server answers", ""]
    lines += ["Every answer carries an outcome code; a rejected report is not stored, and no value is repeated.", ""]
    for outcome in Outcome:
        lines += [f"### {outcome.value}", "", f"HTTP {outcome.status}. {outcome.meaning}", ""]
    lines += ["## The policy, clause by clause", ""]
    lines += ["Each test named here exists, which a test of the build holds, and fails when its clause is not kept."]
    lines += ["`schemas/published/CLAUSES.md` tells them one by one, with the fields that each permits.", ""]
    lines += ["| clause | what it says | here | decision or reason | tests |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| `{c.id}` | {c.says} | {c.status} | {c.why} | {_tests(c)} |" for c in policy.clauses]
    lines += ["", *what_changed(policy)]
    return "\n".join(lines).rstrip() + "\n"


def _tests(clause: Clause) -> str:
    return ", ".join(f"`{test.removeprefix('tests/')}`" for test in clause.by)


def _weaknesses() -> list[str]:
    lines = ["", "## Known weaknesses", ""]
    lines += ["What this system does not do well, or not at all; what limits each stands in `deploy/WEAKNESSES.md`."]
    for about, several in by_subject().items():
        lines += ["", f"About {about}:", ""]
        lines += [f"- **{one.title}.** {one.what}" for one in several]
    return lines


def _report(policy: Policy, report: Report) -> list[str]:
    schema = json_schema(report)
    lines = [f"## {report.id}", "", (report.model.__doc__ or "").strip(), ""]
    lines += ["| field | meaning | example | needed | why | kept at most | who sees it |", "| --- " * 7 + "|"]
    for name, field in schema["properties"].items():
        lines.append(_row(_meaning(policy, report, name, field, needed=name in schema["required"])))
    lines += ["", f"### {report.id}: by what it is permitted", ""]
    lines += ["| field | sent by | by clause | answered for by | last reviewed | permitted until |"]
    lines += ["| --- " * 6 + "|"]
    lines += [_row(_terms(policy, report, name)) for name in schema["properties"]]
    return [*lines, ""]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _meaning(policy: Policy, report: Report, name: str, field: dict[str, Any], *, needed: bool) -> tuple[str, ...]:
    permit = policy.permit(report.sources[0], name)
    return (
        f"`{name}`",
        field["description"],
        f"`{report.example.get(name, field['examples'][0])}`",
        "yes" if needed else "no",
        permit.purpose if permit else "not permitted",
        f"{permit.retention_days} days" if permit else "",
        SEEN[name],
    )


def _terms(policy: Policy, report: Report, name: str) -> tuple[str, ...]:
    permit = policy.permit(report.sources[0], name)
    if permit is None:
        return (f"`{name}`", "not permitted", "", "", "", "")
    granted = ", ".join(s for s in report.sources if policy.permits(s, name)) or "withdrawn"
    signed = f" ({permit.signed_off_by})" if permit.signed_off_by else ""
    return (
        f"`{name}`",
        granted,
        f"`{permit.clause}`, {permit.basis}{signed}",
        permit.owner,
        permit.last_review.isoformat(),
        permit.expires.isoformat(),
    )
