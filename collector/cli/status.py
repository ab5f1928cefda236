"""`collector status`."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import click

from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import STORE, with_settings

if TYPE_CHECKING:
    from collector.settings import Settings


@click.command("status")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", *STORE)
def command(settings: Settings, form: str) -> None:
    """What was accepted, where it is, and what happens next.

    Works beside a running `collector serve` and without one. accepted = loaded + waiting + quarantined
    + dropped.
    """
    try:
        state = ask(settings, "GET", "/status") | {"serving": True}
    except NoServerError:
        with open_room(settings) as room:
            state = room.status(dt.datetime.now(dt.UTC)) | {"serving": False}
    if form == "json":
        click.echo(json.dumps(state))
        return
    for name, text in _lines(state):
        click.echo(f"{name:<14}{text}")


def _lines(state: dict[str, Any]) -> list[tuple[str, str]]:
    counts = [
        ("accepted", "reports of the last 400 days, retries included"),
        ("loaded", "in the store"),
        ("waiting", "in the spool, on their way to the store"),
        ("quarantined", "set aside because the store could not read them"),
        ("dropped", "given up with `collector quarantine drop`"),
    ]
    lines = [
        (name, f"{'unknown' if state[name] is None else f'{state[name]:,}':>12}  {means}") for name, means in counts
    ]
    if state["store"] != "ok":
        lines.append(("store", f"{state['store']}; what waits is safe on disk, `collector doctor` says more"))
    lines.append(("last closed", state["last_closed"] or ("no day yet" if state["store"] == "ok" else "unknown")))
    when = f"{dt.datetime.fromisoformat(state['next_closing']):%Y-%m-%d %H:%M} UTC"
    when += "" if state["serving"] else ", if `collector serve` runs then"
    lines.append(("next closing", when))
    lines.append(("serving", "yes" if state["serving"] else "no"))
    if state["simulated"]:
        lines.append(("simulated", "yes: these reports were made up"))
    return lines
