"""Writes what is published from the policy and the models; `make schemas` runs it, a test finds drift.

Written: a JSON Schema for each report, `permits.json` (what clients may send; a copy is embedded in
each client, in the shell and Tcl clients in the form of their language), for people `DATA.md`, `CLAUSES.md` and
`deploy/WEAKNESSES.md`, and what the record of earlier promises has to hold more of (`schemas/record.py`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from schemas.clause_map import clause_map
from schemas.data_dictionary import data_dictionary
from schemas.policy import Policy, load_policy
from schemas.record import RECORD, additions, record_problems
from schemas.reports import REPORTS, json_schema
from schemas.shell_permits import with_permits
from schemas.tcl_permits import tcl_permits
from schemas.weaknesses import weaknesses_page

ROOT = Path(__file__).parent.parent
PUBLISHED = Path("schemas/published")
CLIENT_COPIES = (Path("client_sdk/python/telemetry_client/permits.json"),)
SHELL_CLIENT = Path("client_sdk/shell/telemetry-client")
WEAKNESSES_PAGE = Path("deploy/WEAKNESSES.md")
TCL_COPY = Path("client_sdk/tcl/lib/permits.tcl")


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


def published_files(policy: Policy) -> dict[Path, str]:
    """Every generated file, by its path from the project's top, with its content."""
    permits_text = _pretty(permits(policy))
    files = {
        PUBLISHED / f"{report.name}-{report.version}.schema.json": _pretty(json_schema(report))
        for report in REPORTS.values()
    }
    files |= {PUBLISHED / "permits.json": permits_text, PUBLISHED / "DATA.md": data_dictionary(policy)}
    files |= {PUBLISHED / "CLAUSES.md": clause_map(policy), WEAKNESSES_PAGE: weaknesses_page()}
    files |= {RECORD.relative_to(ROOT) / path: content for path, content in additions(policy).items()}
    # A part of a file that is only in a checkout.
    if (ROOT / SHELL_CLIENT).exists():
        files[SHELL_CLIENT] = with_permits((ROOT / SHELL_CLIENT).read_text(encoding="utf-8"), permits(policy))
    files[TCL_COPY] = tcl_permits(permits(policy))
    return files | dict.fromkeys(CLIENT_COPIES, permits_text)


def _pretty(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes every generated file; nothing, where that would record a promise that breaks an earlier one."""
    policy = load_policy()
    problems = record_problems(policy)
    if problems:
        sys.exit("\n".join(problems))
    for path, content in published_files(policy).items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
