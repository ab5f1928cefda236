"""`collector retention`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from collector.cli.ledger import ledger_of, today
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import STORE, with_settings
from collector.cli.table import show_table

if TYPE_CHECKING:
    from collector.settings import Settings

_LIMITS = ("policy", "keep_after_release_days", "publish_at_the_latest_after_hours")


@click.group("retention")
def command() -> None:
    """How long each kind of thing is kept, and what is held.

    \b
    collector retention status --data DIR
    """


@command.command("status")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", *STORE, *_LIMITS)
def status(settings: Settings, form: str) -> None:
    """The oldest thing held of each kind, against how long it may be held.

    \b
    collector retention status --data DIR
    collector retention status --data DIR --format json | jq -r '.rows[] | select(.over) | .kind + ": " + .todo'

    Beside a running collector, by its settings, or on a directory that nobody serves. Of a collector whose parts run
    apart each part knows what its database user may read and what lies on its disk. Ends with exit code 1 if anything
    outlives its limit, or the store cannot be asked.
    """
    try:
        found = ask(settings, "GET", "/retention")
    except NoServerError:
        found = _look(settings)
    over = [row for row in found["rows"] if row["over"]]
    if form == "json":
        click.echo(json.dumps(found))
    else:
        columns = ("kind", "oldest", "days", "limit", "since", "where the limit comes from", "")
        show_table(columns, map(_row, found["rows"]), frozenset({"days", "limit"}))
        for row in over:
            click.echo(f"{row['kind']}: {row['where']} outlives its limit -> {row['todo']}")
        if found["store"] != "ok":
            click.echo(f"{found['store']}: what it holds was not looked at", err=True)
    if over or found["store"] != "ok":
        raise SystemExit(1)


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    oldest = (row["oldest"] or "nothing") if row["known"] else "not known here"
    age = "" if row["age_days"] is None else str(row["age_days"])
    return (
        *(row["kind"], oldest, age, str(row["limit_days"]), row["since"], row["because"]),
        "OVER" if row["over"] else "",
    )


def _look(settings: Settings) -> dict[str, Any]:
    from collector.retention.look import held_in

    with (
        open_room(settings, must_exist=settings.store_url is None, up_to_date=False) as room,
        ledger_of(settings) as ledger,
    ):
        return held_in(room, ledger, room.publisher.limits, today())
