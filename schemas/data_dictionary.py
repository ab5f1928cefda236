"""DATA.md: for people, everything a report may hold, why, for how long, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.outcomes import Outcome
from schemas.reports import REPORTS, Report, json_schema

if TYPE_CHECKING:
    from schemas.policy import Policy

_INTRODUCTION = """\
A report says what runs where, and nothing else: no time finer than the day it arrived, no IP address, no host
name, no account, no identifier of the machine. A report that holds anything else is rejected and not stored.

This page is generated from `schemas/policy.toml` and the report models, which the program obeys too."""

_LIFE = """\
## What becomes of a report

- **Nothing is sent before somebody says so.** A person switches it on, or whoever ships an image sets that as its
  default and a notice comes before the first report. InstallBuilder asks.
- **Switching off:** `telemetry-client off`, `telemetry = off` in `/etc/telemetry-client/config`, or `TELEMETRY=off` or
  `DO_NOT_TRACK=1` in the environment of the program that sends. Any one is enough; nothing is sent then, not even
  that it was switched off. A report that could not be delivered waits on the machine for at most 7 days; one with
  a licence key does not wait at all.
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
- **Dropped** once the month is published and 10 more days have passed, at the latest after the days given below.
  Published counts stay."""

_LEGEND = """\
*By clause* names the paragraph of the policy that permits the field. *Named*: the paragraph names it. *Such as*: the
paragraph gives examples, and the person in brackets signed this one off. *Counting*: needed so that a report that is
sent twice is not counted twice."""


def data_dictionary(policy: Policy) -> str:
    """The page as Markdown."""
    lines = ["# What is collected", ""]
    lines += [f"Policy: [{policy.title}]({policy.url}) of {policy.dated}. Contact: {policy.contact}.", ""]
    lines += [_INTRODUCTION, ""]
    for report in REPORTS.values():
        lines += _report(policy, report)
    lines += [_LEGEND, "", _LIFE, ""]
    lines += ["## Allowed by the policy, and not collected", ""]
    lines += [
        f'- `{c.id}`: the policy says "{c.says}" {c.why}' for c in policy.clauses if c.status == "permitted, not used"
    ]
    lines += ["", "## What the server answers", ""]
    lines += ["Every answer carries an outcome code; a rejected report is not stored, and no value is repeated.", ""]
    for outcome in Outcome:
        lines += [f"### {outcome.value}", "", f"HTTP {outcome.status}. {outcome.meaning}", ""]
    lines += ["## The policy, clause by clause", "", "| clause | what it says | here | test or reason |"]
    lines += ["| --- | --- | --- | --- |"]
    lines += [f"| `{c.id}` | {c.says} | {c.status} | {f'`{c.by}`' if c.by else c.why} |" for c in policy.clauses]
    return "\n".join(lines) + "\n"


def _report(policy: Policy, report: Report) -> list[str]:
    schema = json_schema(report)
    rows = [
        _field(policy, report, name, field, needed=name in schema["required"])
        for name, field in schema["properties"].items()
    ]
    heading = "| field | meaning | example | needed | sent by | why | by clause | kept at most |"
    return [f"## {report.id}", "", (report.model.__doc__ or "").strip(), "", heading, "| --- " * 8 + "|", *rows, ""]


def _field(policy: Policy, report: Report, name: str, field: dict[str, Any], *, needed: bool) -> str:
    permit = policy.permit(report.sources[0], name)
    if permit is None:
        return f"| `{name}` | {field['description']} | | | not permitted | | | |"
    granted = ", ".join(s for s in report.sources if policy.permits(s, name)) or "withdrawn"
    signed = f" ({permit.signed_off_by})" if permit.signed_off_by else ""
    cells = (
        f"`{name}`",
        field["description"],
        f"`{report.example.get(name, field['examples'][0])}`",
        "yes" if needed else "no",
        granted,
        permit.purpose,
        f"`{permit.clause}`, {permit.basis}{signed}",
        f"{permit.retention_days} days",
    )
    return "| " + " | ".join(cells) + " |"
