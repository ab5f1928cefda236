"""Writes what is published from the policy and the models; `make schemas` runs it, a test finds drift.

Written: a JSON Schema for each report, `permits.json` (what clients may send; a copy is embedded in
each client) and `DATA.md` for people.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.outcomes import Outcome
from schemas.policy import Policy, load_policy
from schemas.reports import REPORTS, Report

ROOT = Path(__file__).parent.parent
PUBLISHED = Path("schemas/published")
CLIENT_COPIES = (Path("client_sdk/python/telemetry_client/permits.json"),)


def json_schema(report: Report) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one report."""
    schema = report.model.model_json_schema()
    for field in schema["properties"].values():
        # A field left out is stored as "", but "" is not a value that may be sent.
        field.pop("default", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": report.id}


def permits(policy: Policy) -> dict[str, Any]:
    """What a client may send: for each report and field its format, sources and purpose."""
    reports: dict[str, Any] = {}
    for report in REPORTS.values():
        schema = json_schema(report)
        fields = {}
        for name, field in schema["properties"].items():
            granted = [s for s in report.sources if policy.permits(s, name)]
            if not granted:
                continue
            permit = policy.permit(granted[0], name)
            assert permit is not None  # noqa: S101 - granted means there is one
            fields[name] = {
                "required": name in schema["required"],
                "sources": granted,
                **{key: field[key] for key in ("pattern", "maxLength", "enum") if key in field},
                "description": field["description"],
                "purpose": permit.purpose,
                "clause": permit.clause,
            }
        reports[report.id] = {"path": report.path, "sources": list(report.sources), "fields": fields}
    identity = {"id": policy.id, "title": policy.title, "dated": policy.dated.isoformat()}
    return {"policy": {**identity, "contact": policy.contact, "url": policy.url}, "reports": reports}


def data_dictionary(policy: Policy) -> str:
    """DATA.md: everything a report may hold, what the server answers, and the policy's clauses."""
    lines = [
        "# What is collected",
        "",
        "This page is generated from `schemas/policy.toml` and the report models; the program obeys the same files.",
        "",
        f"Policy: [{policy.title}]({policy.url}), {policy.dated}. Contact: {policy.contact}.",
        "",
        "A report says what runs where, and nothing else: no time finer than the day it arrived, no IP address,",
        "no host name, no account, no identifier of the machine. Reports are published only as protected counts.",
        "",
    ]
    for report in REPORTS.values():
        lines += [f"## {report.id}", "", (report.model.__doc__ or "").strip(), ""]
        lines += ["| field | meaning | example | needed | from | why | by clause | kept |"]
        lines += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
        schema = json_schema(report)
        for name, field in schema["properties"].items():
            lines.append(_field_row(policy, report, name, field, name in schema["required"]))
        lines.append("")
    lines += ["## Never collected", ""]
    lines += [f"- {c.says} {c.why}" for c in policy.clauses if c.status == "permitted, not used"]
    lines += ["", "## What the server answers", ""]
    lines += [
        "Every answer carries an outcome code; a rejected report is not stored, and no value is repeated.",
        "",
    ]
    for outcome in Outcome:
        lines += [f"### {outcome.value}", "", f"HTTP {outcome.status}. {outcome.meaning}", ""]
    lines += ["## The policy, clause by clause", "", "| clause | what it says | status | by or why |"]
    lines += ["| --- | --- | --- | --- |"]
    lines += [f"| `{c.id}` | {c.says} | {c.status} | {f'`{c.by}`' if c.by else c.why} |" for c in policy.clauses]
    return "\n".join(lines) + "\n"


def _field_row(policy: Policy, report: Report, name: str, field: dict[str, Any], required: bool) -> str:
    permit = policy.permit(report.sources[0], name)
    if permit is None:
        return f"| `{name}` | {field['description']} | | | | not permitted | | |"
    granted = ", ".join(s for s in report.sources if policy.permits(s, name)) or "withdrawn"
    cells = (
        f"`{name}`",
        field["description"],
        f"`{field['examples'][0]}`",
        "yes" if required else "no",
        granted,
        permit.purpose,
        f"`{permit.clause}` ({permit.basis})",
        f"{permit.retention_days} days",
    )
    return "| " + " | ".join(cells) + " |"


def published_files(policy: Policy) -> dict[Path, str]:
    """Every generated file, by its path from the project's top, with its content."""
    permits_text = _pretty(permits(policy))
    files = {
        PUBLISHED / f"{report.name}-{report.version}.schema.json": _pretty(json_schema(report))
        for report in REPORTS.values()
    }
    files |= {PUBLISHED / "permits.json": permits_text, PUBLISHED / "DATA.md": data_dictionary(policy)}
    return files | dict.fromkeys(CLIENT_COPIES, permits_text)


def _pretty(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes every generated file."""
    for path, content in published_files(load_policy()).items():
        (ROOT / path).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
