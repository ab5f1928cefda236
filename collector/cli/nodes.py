"""`collector nodes`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from collector.cli.ledger import note_done
from collector.cli.main import fail
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import STORE, with_settings
from collector.cli.table import show_table
from collector.roles import Role

if TYPE_CHECKING:
    from collector.settings import Settings


@click.group("nodes")
def command() -> None:
    """The collectors that take reports into one ClickHouse server, and how far each has handed them over.

    A day is closed once all of them have loaded what they received on it. One that stopped with reports in its spool is
    waited for: start it again, or, if its disk is lost, say so with `forget`.

    \b
      collector nodes list --data DIR
      collector nodes forget ingest-2-ab12cd --data DIR
    """


@command.command("list")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", *STORE)
def list_(settings: Settings, form: str) -> None:
    """Every collector that ever took reports into this store."""
    found = _nodes(settings)
    if form == "json":
        click.echo(json.dumps(found))
        return
    if not found:
        click.echo("no collector has taken reports into this store yet")
        return
    show_table(
        ["collector", "loaded past", "segments waiting", "last heard"],
        map(_row, found),
        frozenset({"segments waiting"}),
    )


@command.command("forget")
@click.argument("name")
@with_settings("data", *STORE)
def forget(settings: Settings, name: str) -> None:
    """Stop waiting for a collector whose spool is lost; reports that only it held are lost with it."""
    if name not in {one["name"] for one in _nodes(settings)}:
        fail("no collector of this name has taken reports into this store; `collector nodes list` shows them")
    try:
        ask(settings, "POST", "/nodes/forget", {"name": name})
    except NoServerError:
        from collector.store import nodes

        with open_room(settings, Role.PUBLISH, must_exist=False) as room:
            nodes.forget(room.engine, name)
    note_done(settings, "node_forgotten", name)
    click.echo("days are closed without waiting for it; should it come back, it is waited for again")


def _row(one: dict[str, Any]) -> list[str]:
    heard = "left" if one["has_left"] else f"{one['silent_seconds']:,} s ago"
    return [one["name"], one["loaded_past"], f"{one['waiting']:,}", heard]


def _nodes(settings: Settings) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = ask(settings, "GET", "/nodes")["nodes"]
    except NoServerError:
        from collector.store import nodes

        if settings.store_url is None:
            fail("the embedded engine has one collector; for a ClickHouse server give --store-url")
        with open_room(settings, Role.PUBLISH, must_exist=False) as room:
            found = [one.shown() for one in nodes.all_nodes(room.engine)]
    return found
