"""The OpenAPI document of the ingest server, made from the report models and the outcomes."""

from __future__ import annotations

from typing import Any

from collector.ingest.intake import FORM, JSON, NDJSON
from schemas.outcomes import Outcome
from schemas.reports import REPORTS, Report, json_schema

_ANSWER = {
    "type": "object",
    "required": ["outcome"],
    "properties": {
        "outcome": {"type": "string", "enum": [outcome.value for outcome in Outcome]},
        "field": {"type": "string", "description": "The field it is about."},
        "meaning": {"type": "string"},
        "documentation": {"type": "string"},
    },
}


def document() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Product telemetry: ingest",
            "version": "1",
            "description": "Takes reports. 202 means the report is on disk; 400-422 means drop it; "
            "410 means stop sending; anything else means keep it and try again later.",
        },
        "paths": {report.path: {"post": _operation(report)} for report in REPORTS.values()} | _documents(),
        "components": {"schemas": {"Answer": _ANSWER} | {_name(r): _component(r) for r in REPORTS.values()}},
    }


def _operation(report: Report) -> dict[str, Any]:
    one = {"schema": {"$ref": f"#/components/schemas/{_name(report)}"}}
    statuses = sorted({o.status for o in Outcome if o not in {Outcome.NOT_FOUND, Outcome.UNKNOWN_SCHEMA}})
    return {
        "operationId": f"report_{_name(report)}",
        "summary": (report.model.__doc__ or "").strip(),
        "parameters": [
            {
                "name": "dry_run",
                "in": "query",
                "description": "1 validates and stores nothing.",
                "schema": {"type": "string", "enum": ["1"]},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {JSON: one, FORM: one, NDJSON: {"schema": {"type": "string"}}},
        },
        "responses": {str(status): _response(status) for status in statuses},
    }


def _response(status: int) -> dict[str, Any]:
    outcomes = [o for o in Outcome if o.status == status]
    content: dict[str, Any] = {JSON: {"schema": {"$ref": "#/components/schemas/Answer"}}}
    content[NDJSON] = {"schema": {"type": "string"}}
    return {"description": " ".join(f"{o.value}: {o.meaning}" for o in outcomes), "content": content}


def _documents() -> dict[str, Any]:
    pages = {
        "/v1/policy": "The policy and what it permits.",
        "/v1/data": "The data dictionary, for people.",
        "/livez": "Whether the process runs.",
        "/readyz": "Whether reports can be taken.",
    } | {f"/v1/schemas/{r.id}": f"The JSON Schema of {r.id}." for r in REPORTS.values()}
    return {
        path: {"get": {"summary": summary, "responses": {"200": {"description": summary}}}}
        for path, summary in pages.items()
    }


def _component(report: Report) -> dict[str, Any]:
    return {key: value for key, value in json_schema(report).items() if key != "$schema"}


def _name(report: Report) -> str:
    return report.id.replace("/", "-")
