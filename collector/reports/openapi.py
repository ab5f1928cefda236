"""The API's document, from the models of questions and answers."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from collector.reports import answers
from collector.reports.question import Question

if TYPE_CHECKING:
    from pydantic import BaseModel

_SCHEMAS = "#/components/schemas/"
_ANSWERS: dict[str, tuple[str, type[BaseModel] | None]] = {
    "/v1/usage": ("How much something is used.", answers.UsageAnswer),
    "/v1/products": ("The products, and how much each was used last.", answers.ProductsAnswer),
    "/v1/releases": ("What was released, and by which rules.", answers.ReleasesAnswer),
    "/v1/privacy": ("What the published counts can reveal about one report or licence, at the most.", None),
}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the reports API."""
    schemas: dict[str, Any] = {}
    for model in (answers.UsageAnswer, answers.ProductsAnswer, answers.ReleasesAnswer, answers.ErrorAnswer):
        schema = model.model_json_schema(ref_template=_SCHEMAS + "{model}", mode="serialization")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Product telemetry: published counts",
            "version": version("product-telemetry"),
            "description": "Protected counts, each with its 95 % error. Reading them reveals nothing more.",
        },
        "security": [{"token": []}],
        "paths": {path: {"get": _operation(path, does, model)} for path, (does, model) in _ANSWERS.items()},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by `collector token create`."}
            },
        },
    }


def _operation(path: str, does: str, model: type[BaseModel] | None) -> dict[str, Any]:
    schema = {"$ref": _SCHEMAS + model.__name__} if model else {"type": "object"}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if path == "/v1/usage":
        content["text/csv"] = {"schema": {"type": "string"}}
        content["application/vnd.apache.parquet"] = {"schema": {"type": "string", "format": "binary"}}
    return {
        "summary": does,
        "operationId": path.removeprefix("/v1/"),
        "parameters": _parameters() if path == "/v1/usage" else [],
        "responses": {
            "200": {"description": does, "content": content},
            "304": {"description": "Unchanged since the answer with the given If-None-Match."},
            "400": _error("What cannot be asked, and what can."),
            "401": _error("No token, or one that is not known, expired or revoked."),
            "405": _error("Only GET and HEAD are taken."),
            "421": _error("The server was asked by a name that is not its own, see the setting reports_url."),
            "503": _error("Sign-in and audit cannot be reached for the moment; try again soon."),
        },
    }


def _error(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{answers.ErrorAnswer.__name__}"}}},
    }


def _parameters() -> list[dict[str, Any]]:
    found = []
    for name, schema in Question.model_json_schema(by_alias=True)["properties"].items():
        kept = {key: value for key, value in schema.items() if key not in {"description", "title", "default"}}
        if kept.get("type") == "array":
            kept = {"type": "string"}
        found.append({"name": name, "in": "query", "description": schema["description"], "schema": kept})
    return found
