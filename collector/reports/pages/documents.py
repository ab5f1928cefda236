"""Pages that are made from documents: the data dictionary and the privacy of the numbers, and the API."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from collector.reports import openapi
from collector.reports.pages.frame import content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

_HTTP_OK = "200"
_NO_WORD = re.compile(r"[^a-z0-9]+")


def data_page(dictionary: str, claim: dict[str, Any]) -> str:
    """What is collected, what the numbers are, and how private they are.

    Args:
        dictionary: Markdown, of `schemas.data_dictionary`.
        claim: of `collector.publish.claim`.
    """
    return content("data.html", dictionary=markdown(dictionary), claim=claim)


def api_page() -> str:
    """The API for people, from its document."""
    document = openapi.document()
    operations = [
        {
            "path": path,
            "does": of["get"]["summary"],
            "parameters": [_parameter(one) for one in of["get"]["parameters"]],
            "forms": list(of["get"]["responses"][_HTTP_OK]["content"]),
        }
        for path, of in document["paths"].items()
    ]
    answers = of_answers(document["components"]["schemas"])
    statuses = document["paths"]["/v1/usage"]["get"]["responses"]
    return content(
        "api.html",
        info=document["info"],
        token=inline(document["components"]["securitySchemes"]["token"]["description"]),
        operations=operations,
        answers=answers,
        statuses={status: response["description"] for status, response in statuses.items()},
    )


def markdown(text: str) -> Markup:
    """Markdown as HTML: its headings begin below the page's own, its tables scroll in boxes of their own.

    A heading can be linked to by its words: `#document-known-weaknesses`.
    """
    tokens = _reader().parse(text)
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        if token.type == "heading_open" and after:
            token.attrSet("id", f"document-{_NO_WORD.sub('-', after.content.lower()).strip('-')}")
    return Markup(_reader().renderer.render(tokens, _reader().options, {}))  # noqa: S704 - HTML in it was escaped


@cache
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")

    def table_open(_self: object, tokens: Sequence[Token], index: int, *_: object) -> str:
        above = [n for n in range(index) if tokens[n].type == "heading_open"]
        name = Markup.escape(f"Table: {tokens[above[-1] + 1].content}") if above else "Table"
        return f'<div class="scroll" tabindex="0" role="region" aria-label="{name}"><table>\n'

    def table_close(*_: object) -> str:
        return "</table></div>\n"

    reader.add_render_rule("table_open", table_open)
    reader.add_render_rule("table_close", table_close)
    return reader


def inline(text: str) -> Markup:
    """One sentence of Markdown."""
    return Markup(_reader().renderInline(text))  # noqa: S704 - HTML in it was escaped


def of_answers(schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """The shapes of answers: name, description, and what is in them."""
    return [
        {
            "name": name,
            "about": schema.get("description", ""),
            "fields": [
                {"name": field, "type": _type(of), "about": of.get("description", "")}
                for field, of in schema.get("properties", {}).items()
            ],
        }
        for name, schema in schemas.items()
    ]


def _parameter(one: dict[str, Any]) -> dict[str, str]:
    return {"name": one["name"], "about": one["description"], "type": _type(one["schema"])}


def _type(schema: dict[str, Any]) -> str:
    """A schema's type, short."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one) for one in schema["anyOf"] if one.get("type") != "null"))
    if "enum" in schema or "const" in schema:
        return ", ".join(map(str, schema.get("enum") or [schema["const"]]))
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_type(schema['items'])}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type", "any"))
