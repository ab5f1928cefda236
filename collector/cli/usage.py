"""`collector usage`."""

from __future__ import annotations

import csv
import json
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from collector.cli.main import fail
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import with_settings

if TYPE_CHECKING:
    from rich.table import Table

    from collector.settings import Settings

_BAR_WIDTH = 24
_NOT_REPORTED = "(not reported)"


@click.command("usage")
@click.option("--product", help="A product of the catalogue.  [default: a table of all products]")
@click.option("--by", help="One field, or two joined by a comma, e.g. product_version or product_version,source.")
@click.option("--measure", help="boots, runs or licences.  [default: licences for installbuilder, else boots]")
@click.option("--grain", help="day, week or month.  [default: the coarsest that is released]")
@click.option("--from", "first", metavar="DATE", help="First day, e.g. 2026-10-01.  [default: the latest period]")
@click.option("--to", "last", metavar="DATE", help="Last day.")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="Rows of each period in the table.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@with_settings("data")
def command(settings: Settings, form: str, top: int, **asked: str | None) -> None:
    r"""Published counts of a product, or of all products.

    \b
    collector usage --data DIR
    collector usage --data DIR --product wordpress --by product_version --grain day
    collector usage --data DIR --product wordpress --by os_version --format csv

    Each count comes with its 95 % error: the true one lies within it 19 times out of 20.
    """
    names = {"first": "from", "last": "to"}
    parameters = {names.get(name, name): value for name, value in asked.items() if value}
    try:
        answer = ask(settings, "GET", "/v1/usage", parameters)
    except NoServerError:
        answer = _answer_here(settings, parameters)
    if form == "json":
        click.echo(json.dumps(answer, indent=2))
    elif form == "csv":
        writer = csv.DictWriter(sys.stdout, ["period", *answer["fields"], "value", "error"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(answer["cells"])
    else:
        _show(answer, top)


def _answer_here(settings: Settings, parameters: dict[str, str]) -> dict[str, Any]:
    from collector.reports.usage import UsageError, read_question, usage

    try:
        question = read_question(parameters)
        with open_room(settings) as room:
            return usage(room.released, room.publisher.menu, question)
    except UsageError as error:
        fail(str(error))


def _show(answer: dict[str, Any], top: int) -> None:
    from rich.console import Console

    # Piped, a table is as wide as it needs to be; in a terminal, as the terminal.
    console = Console(highlight=False) if sys.stdout.isatty() else Console(width=120, no_color=True)
    console.print(f"{answer['measure']} by {answer['grain']} ({answer['means']})")
    if not answer["cells"]:
        console.print("No value is shown for these periods.")
    for period, cells in groupby(answer["cells"], key=lambda cell: cell["period"]):
        console.print(_table(answer, period, list(cells), top))
    for note in answer["notes"]:
        console.print(note, style="dim")


def _table(answer: dict[str, Any], period: str, cells: list[dict[str, Any]], top: int) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=f"{answer['grain']} {period}", title_justify="left", box=box.SIMPLE_HEAD)
    fields = [
        f
        for f in answer["fields"]
        if f != "product" or len({c["product"] for c in cells}) > 1 or len(answer["fields"]) == 1
    ]
    for field in fields:
        table.add_column(field.replace("_", " "), no_wrap=True)
    table.add_column(answer["measure"], justify="right", no_wrap=True)
    table.add_column("95 % error", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    largest = max(cell["value"] for cell in cells)
    for cell in cells[:top]:
        bar = "█" * max(1, round(_BAR_WIDTH * cell["value"] / largest))
        table.add_row(*(cell[f] or _NOT_REPORTED for f in fields), f"{cell['value']:,}", f"± {cell['error']:,}", bar)
    if len(cells) > top:
        table.caption = f"... and {len(cells) - top} more; --top {len(cells)} shows all"
    return table
