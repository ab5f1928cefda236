"""The OpenAPI document of the ingest server, made from the report models and the outcomes."""

from __future__ import annotations

from typing import Any

from collector.ingest.answers import RETRY_AFTER_SECONDS
from collector.ingest.intake import FORM, JSON
from collector.ingest.limits import NDJSON
from schemas.outcomes import Outcome
from schemas.reports import REPORTS, Report, json_schema

_ANSWER = {
    "type": "object",
    "required": ["outcome"],
    "additionalProperties": False,
    "properties": {
        "outcome": {"type": "string", "enum": [outcome.value for outcome in Outcome]},
        "field": {"type": "string", "maxLength": 40, "description": "The field it is about."},
        "meaning": {"type": "string"},
        "documentation": {"type": "string", "description": "Where more is said; relative to this server or not."},
    },
}
_READINESS = {
    "type": "object",
    "required": ["ready", "state", "spool", "store"],
    "properties": {
        "ready": {"type": "boolean", "description": "Whether reports are taken."},
        "state": {"type": "string", "enum": ["ok", "degraded"]},
        "spool": {"type": "string", "description": "ok, or the outcome that reports get."},
        "store": {"type": "string", "enum": ["ok", "behind"], "description": "behind: reports are taken all the same."},
    },
}
_ALIVE = {"type": "object", "required": ["alive"], "properties": {"alive": {"const": True}}}
_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


# Path: what it is, media type, schema.
PAGES = {
    "/v1/policy": ("The policy and what it permits.", JSON, _OBJECT),
    "/v1/permits.txt": ("What it permits, a line each; a client's `verify` compares it.", "text/plain", _TEXT),
    "/v1/data": ("The data dictionary, for people.", "text/markdown", _TEXT),
    "/openapi.json": ("This document.", JSON, _OBJECT),
    "/livez": ("Whether the process runs.", JSON, _ALIVE),
    "/readyz": ("Whether reports can be taken.", JSON, _reference("Readiness")),
} | {f"/v1/schemas/{r.id}": (f"The JSON Schema of {r.id}.", JSON, _OBJECT) for r in REPORTS.values()}


def document() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Product telemetry: ingest",
            "version": "1",
            "description": "Takes reports. 202 means the report is on disk; 400, 404, 405, 413, 415 and 422 mean drop "
            "it; 410 means stop sending; anything else means keep it and try again later.",
        },
        "paths": {report.path: {"post": _operation(report)} for report in REPORTS.values()} | _documents(),
        "components": {"schemas": _components()},
    }


def _operation(report: Report) -> dict[str, Any]:
    one, form = ({"schema": _reference(name)} for name in (_name(report), f"{_name(report)}-form"))
    batch = {"schema": {**_TEXT, "description": "One JSON object on each line; blank lines do not count."}}
    # A path that is not there is no part of an operation.
    outcomes = [o for o in Outcome if o not in {Outcome.NOT_FOUND, Outcome.UNKNOWN_SCHEMA}]
    return {
        "operationId": f"report_{_name(report)}",
        "summary": (report.model.__doc__ or "").strip(),
        "parameters": [
            {
                "name": "dry_run",
                "in": "query",
                "description": "1 validates and stores nothing.",
                "schema": {"type": "string", "enum": ["0", "1"]},
            }
        ],
        "requestBody": {"required": True, "content": {JSON: one, FORM: form, NDJSON: batch}},
        "responses": {
            str(status): _answers([o for o in outcomes if o.status == status], with_batch=True)
            for status in sorted({o.status for o in outcomes})
        },
    }


def _answers(outcomes: list[Outcome], *, with_batch: bool = False) -> dict[str, Any]:
    """The response of a status; one answer, or one on each line to a batch."""
    response: dict[str, Any] = {
        "description": " ".join(f"{o.value}: {o.meaning}" for o in outcomes),
        "content": {JSON: {"schema": _reference("Answer")}},
    }
    if with_batch:
        response["content"][NDJSON] = {"schema": {**_TEXT, "description": "One Answer on each line, in order."}}
    if all(o in RETRY_AFTER_SECONDS for o in outcomes):
        response["headers"] = {
            "Retry-After": {
                "description": "How long to stay away, in seconds.",
                "required": True,
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    if outcomes == [Outcome.METHOD_NOT_ALLOWED]:
        response["headers"] = {"Allow": {"description": "The methods that it answers to.", "schema": _TEXT}}
    return response


def _documents() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for path, (summary, media_type, schema) in PAGES.items():
        found: dict[str, Any] = {"description": summary, "content": {media_type: {"schema": schema}}}
        if path.startswith("/v1/") or path == "/openapi.json":
            found["headers"] = {"Cache-Control": {"description": "A minute, for every cache.", "schema": _TEXT}}
        responses: dict[str, Any] = {"200": found, "405": _answers([Outcome.METHOD_NOT_ALLOWED])}
        if path == "/readyz":
            responses["503"] = found | {"description": "Reports cannot be taken."}
        paths[path] = {"get": {"summary": summary, "responses": responses}}
    return paths


def _components() -> dict[str, Any]:
    components: dict[str, Any] = {"Answer": _ANSWER, "Readiness": _READINESS}
    for report in REPORTS.values():
        schema = json_schema(report)
        del schema["$schema"]
        for name, value in report.example.items():
            schema["properties"][name]["examples"] = [value]
        components[_name(report)] = schema
        components[f"{_name(report)}-form"] = schema | {
            "properties": {
                name: field if name in schema["required"] else _or_empty(field)
                for name, field in schema["properties"].items()
            }
        }
    return components


def _or_empty(field: dict[str, Any]) -> dict[str, Any]:
    """In a form, a field that is not needed may be left empty."""
    return {"anyOf": [field, {"const": ""}], "examples": field["examples"]}


def _name(report: Report) -> str:
    return report.id.replace("/", "-")
