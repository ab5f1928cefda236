"""`collector publish`."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import click

from collector.cli.main import fail
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import with_settings
from collector.cli.progress import progress

if TYPE_CHECKING:
    from collector.settings import Settings


@click.command("publish")
@click.option("--through", type=click.DateTime(["%Y-%m-%d"]), help="Last day to close.  [default: yesterday, UTC]")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", "menu", "profile", "policy", "catalogue", "keep_after_release_days")
def command(settings: Settings, through: dt.datetime | None, form: str) -> None:
    """Close days that are over and release their counts.

    A running `collector serve` does this by itself every night; this verb asks it to do it now, or does
    it on a directory that nobody serves. A period that was released is never changed.
    """
    today = dt.datetime.now(dt.UTC).date()
    last = through.date() if through else today - dt.timedelta(days=1)
    try:
        released = ask(settings, "POST", "/publish", {"through": last.isoformat()})["released"]
    except NoServerError:
        released = _publish_here(settings, today, last)
    if form == "json":
        click.echo(json.dumps({"released": released}))
    elif released:
        click.echo(f"released: {', '.join(released)}")
    else:
        click.echo(f"nothing to release through {last}: every day that has reports is closed")


def _publish_here(settings: Settings, today: dt.date, through: dt.date) -> list[str]:
    from collector.publish.publisher import NotOverError

    with open_room(settings) as room:
        room.loader.load_sealed()
        with progress("publishing", len(room.publisher.due(through)), "days") as advance:
            try:
                return [str(p) for p in room.publisher.publish(today, through, done=lambda _: advance(1))]
            except NotOverError as error:
                fail(str(error))
