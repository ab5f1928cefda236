"""`collector hide`: values that nobody is to read."""

from __future__ import annotations

import dataclasses
import difflib
import json
from typing import TYPE_CHECKING

import click

from collector.cli.ledger import ledger_of, now, this_user
from collector.cli.main import fail
from collector.cli.options import with_settings
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.settings import Settings

_FIELDS = ("product_version", "version_line", "source", "os_version", "instance_type", "language")
_LONGEST_TEXT = 200
_PRODUCT = click.option("--product", required=True, help="A product's name.")
_FIELD = click.option("--field", required=True, type=click.Choice(_FIELDS), help="The field it stands in.")
_VALUE = click.option("--value", required=True, help="The value, exactly as it is shown.")


@click.group("hide")
def command() -> None:
    """Hide a value from all readers, such as something personal typed as a version.

    \b
    collector hide add --data DIR --product wordpress --field product_version --value 6.4-jane-doe
    collector hide list --data DIR
    collector hide remove --data DIR --product wordpress --field product_version --value 6.4-jane-doe

    Its number stays and its text is not shown. No published count changes.
    """


@command.command("add", short_help="Hide a value.")
@_PRODUCT
@_FIELD
@_VALUE
@click.option("--reason", default="", help="Why, for whoever looks at the list later.")
@with_settings("data")
def add(settings: Settings, product: str, field: str, value: str, reason: str) -> None:
    """Hide a value, within two seconds of a running `serve`.

    \b
    collector hide add --data DIR --product wordpress --field product_version --value 6.4-jane-doe \\
      --reason "a name"
    """
    from collector.reports.access import hidden

    if any(not text.isprintable() or len(text) > _LONGEST_TEXT for text in (product, value, reason)):
        fail(f"product, value and reason are printable and have up to {_LONGEST_TEXT} characters")
    if not value or not product:
        fail("product and value are not empty")
    _note_unknown(settings, product)
    with ledger_of(settings) as ledger:
        is_new = hidden.hide(ledger, product, field, value, by=this_user(), reason=reason, now=now())
    click.echo("hidden" if is_new else "was hidden before")


def _note_unknown(settings: Settings, product: str) -> None:
    """Says on standard error that a product is not in the catalogue; it may have been, so its values can be hidden."""
    from collector.cli.products import as_served
    from collector.configuration import read_configuration

    try:
        known = list(read_configuration(as_served(settings)).catalogue.products)
    except ConfigurationError:
        return  # hiding must not wait for the catalogue to be mended
    if product not in known:
        near = difflib.get_close_matches(product, known, n=1)
        click.echo(f"note: no such product in the catalogue{f'; did you mean {near[0]}?' if near else ''}", err=True)


@command.command("list", short_help="List what is hidden, by whom and why.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data")
def list_(settings: Settings, form: str) -> None:
    """List what is hidden, by whom and why."""
    from collector.cli.table import show_table
    from collector.reports.access import hidden

    with ledger_of(settings) as ledger:
        found = hidden.hidden(ledger)
    if form == "json":
        click.echo(json.dumps({"hidden": [dataclasses.asdict(one) for one in found]}))
    elif not found:
        click.echo("nothing is hidden")
    else:
        columns = ("product", "field", "value", "by", "on", "reason")
        rows = ((one.product, one.field, one.value, one.hidden_by, one.hidden_on, one.reason) for one in found)
        show_table(columns, rows)


@command.command("remove", short_help="Show a value again.")
@_PRODUCT
@_FIELD
@_VALUE
@with_settings("data")
def remove(settings: Settings, product: str, field: str, value: str) -> None:
    """Show a value again. Its text is gone from the list and its file afterwards."""
    from collector.reports.access import hidden

    with ledger_of(settings) as ledger:
        was_hidden = hidden.unhide(ledger, product, field, value, by=this_user(), now=now())
    if not was_hidden:
        fail("this value is not hidden; `collector hide list` has all that are")
    click.echo("shown again")
