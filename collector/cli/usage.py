"""`collector usage`."""

from __future__ import annotations

import difflib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collector.cli.main import fail
from collector.cli.published import with_published
from collector.cli.remote import RefusedError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from collector.cli.published import Ask

_ROWS_OF_A_TABLE = 20
_NEEDED = {"measure", "means", "grain", "fields", "periods", "incomplete", "cells", "remainder", "so_far", "available"}


@click.command("usage")
@click.option("--product", help="A product of the catalogue.  [default: a table of all products]")
@click.option("--by", metavar="FIELDS", help="A field, or two joined by a comma; see above.")
@click.option(
    "--measure",
    type=click.Choice(["boots", "runs", "licences"]),
    help="What to count.  [default: licences for installbuilder, else boots]",
)
@click.option(
    "--grain",
    type=click.Choice(["day", "week", "month", "quarter", "year"]),
    help="[default: the finest that shows at least half of the reports]",
)
@click.option("--from", "first", metavar="DATE", help="First day, e.g. 2026-10-01.  [default: the latest period]")
@click.option("--to", "last", metavar="DATE", help="Last day.")
@click.option("--compare", type=click.Choice(["previous"]), help="Adds the change against the period before.")
@click.option(
    "--top",
    type=click.IntRange(1, 10_000),
    help=f"The largest so many of each period.  [default: {_ROWS_OF_A_TABLE} in the table, else all]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
    help="All but the table are byte for byte what the API answers; on a terminal, JSON is indented.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to this file.  [default: standard output]",
)
@with_published
def command(
    published: AbstractContextManager[Ask], form: str, top: int | None, output: Path | None, **asked: str | None
) -> None:
    """Published counts of a product, or of all products.

    \b
    collector usage --data DIR
    collector usage --data DIR --product wordpress --by product_version --grain day
    collector usage --data DIR --product wordpress --grain month --from 2026-01-01 --compare previous
    collector usage --url https://telemetry.example.com --by os_version --format parquet --output os.parquet

    Fields: product_version, version_line (6.4 of 6.4.2), source, os_version, instance_type, language; in pairs,
    by month, product_version with source, os_version or instance_type.

    Each count comes with its 95 % error: the exact number of received reports lies within it 19 times out
    of 20. Machines that do not report are not in it. A quarter or year is there where all of its months are.
    """
    if form == "parquet" and output is None and sys.stdout.isatty():
        fail("parquet is not for a terminal: give --output FILE, or pipe it on")
    names = {"first": "from", "last": "to"}
    parameters = {names.get(name, name): value for name, value in asked.items() if value}
    if form != "table":
        parameters["format"] = form
    if form != "table" and top is not None:
        parameters["top"] = str(top)
    _refuse(parameters)
    with published as ask:
        try:
            body = ask("/v1/usage", parameters)
            names_of_products = _products(ask) if asked["product"] and _is_empty(body, form) else None
        except RefusedError as error:
            fail(str(error))
    if form == "table":
        _show(body, asked["product"], top or _ROWS_OF_A_TABLE, output)
    elif output is None and form == "json" and sys.stdout.isatty():
        click.echo(json.dumps(_answer(body), indent=2))
    else:
        _write(body, output)
    if asked["product"] and names_of_products is not None:
        _hint(asked["product"], names_of_products)


def _refuse(parameters: dict[str, str]) -> None:
    """Says at once what no collector could answer."""
    from collector.reports.question import UsageError, read_question

    try:
        read_question(parameters)
    except UsageError as error:
        fail(str(error))


def _answer(body: bytes) -> dict[str, Any]:
    """An answer in JSON, its texts fit for a terminal."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not answer.keys() >= _NEEDED:
        fail("what was answered is not an answer of a collector, or one of another version")
    return {name: _printable(value) for name, value in answer.items()}


def _printable(value: object) -> object:
    if isinstance(value, str):
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    return {name: _printable(one) for name, one in value.items()} if isinstance(value, dict) else value


def _show(body: bytes, product: str | None, top: int, output: Path | None) -> None:
    from collector.cli.usage_table import as_text, show

    answer = _answer(body)
    if output is None:
        show(answer, product, top)
    else:
        _write(as_text(answer, product, top, "utf-8").encode(), output)


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        fail(f"--output: {output} cannot be written: {error.strerror}")


def _is_empty(body: bytes, form: str) -> bool:
    """Whether no value is in the answer; of Parquet nothing is said."""
    if form == "csv":
        return body.count(b"\n") <= 1
    return form != "parquet" and not _answer(body)["cells"]


def _products(ask: Ask) -> list[str]:
    return [product["name"] for product in json.loads(ask("/v1/products", {}))["products"]]


def _hint(product: str, known: list[str]) -> None:
    """Says on standard error that a product is not in the catalogue: the answer itself may not tell."""
    if product not in known:
        near = difflib.get_close_matches(product, known, n=1)
        click.echo(f"note: no such product in the catalogue{f'; did you mean {near[0]}?' if near else ''}", err=True)
