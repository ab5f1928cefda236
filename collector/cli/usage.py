"""`collector usage`."""

from __future__ import annotations

import csv
import difflib
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from collector.cli.main import fail
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import STORE, with_settings

if TYPE_CHECKING:
    from collector.reports.usage import Question
    from collector.settings import Settings


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
    type=click.Choice(["day", "week", "month"]),
    help="[default: the finest that shows at least half of the reports]",
)
@click.option("--from", "first", metavar="DATE", help="First day, e.g. 2026-10-01.  [default: the latest period]")
@click.option("--to", "last", metavar="DATE", help="Last day.")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="Rows of each period in the table.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@with_settings("data", *STORE)
def command(settings: Settings, form: str, top: int, **asked: str | None) -> None:
    """Published counts of a product, or of all products.

    \b
    collector usage --data DIR
    collector usage --data DIR --product wordpress --by product_version --grain day
    collector usage --data DIR --product wordpress --by os_version --format csv

    Fields: product_version, version_line (6.4 of 6.4.2), source, os_version, instance_type, language; in pairs,
    by month, product_version with source, os_version or instance_type.

    Each count comes with its 95 % error: the exact number of received reports lies within it 19 times out
    of 20. Machines that do not report are not in it.
    """
    names = {"first": "from", "last": "to"}
    parameters = {names.get(name, name): value for name, value in asked.items() if value}
    from collector.reports.usage import UsageError, read_question

    try:
        question = read_question(parameters)
        answer = ask(settings, "GET", "/v1/usage", parameters)
    except UsageError as error:
        fail(str(error))
    except NoServerError:
        answer = _answer_here(settings, question)
    if form == "json":
        click.echo(json.dumps(answer, indent=2))
    elif form == "csv":
        writer = csv.DictWriter(sys.stdout, ["period", *answer["fields"], "value", "error"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(answer["cells"])
    else:
        from collector.cli.usage_table import show

        show(answer, asked["product"], top)
    _hint(settings, asked["product"])


def _answer_here(settings: Settings, question: Question) -> dict[str, Any]:
    from collector.reports.usage import UsageError, usage

    try:
        with open_room(settings) as room:
            return usage(room.released, room.publisher.rules.menu, question, simulated=room.paths.simulated.exists())
    except UsageError as error:
        fail(str(error))


def _hint(settings: Settings, product: str | None) -> None:
    """Says on standard error that a product is not in the catalogue: the answer itself may not tell."""
    from collector.configuration import read_configuration

    known = read_configuration(settings).catalogue.products
    if product and product not in known:
        near = difflib.get_close_matches(product, known, n=1)
        click.echo(f"note: no such product in the catalogue{f'; did you mean {near[0]}?' if near else ''}", err=True)
