"""`collector publish`."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from collector.cli import serving
from collector.cli.keeping import keep_to_limits
from collector.cli.main import fail
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import STORE, with_settings
from collector.cli.progress import progress
from collector.roles import Role

if TYPE_CHECKING:
    from collector.settings import Settings


# Settings that decide what a release is; a running `serve` has its own.
_PROTECTION = ("menu", "profile", "policy", "catalogue", "keep_after_release_days")
_KEEPING = (
    *("most_epsilon_per_report", "most_epsilon_per_licence_month", "publish_after_minutes"),
    *("publish_at_the_latest_after_hours", "metrics_host", "metrics_port", "silent_process_seconds", "log_format"),
)


@click.command("publish")
@click.option("--through", type=click.DateTime(["%Y-%m-%d"]), help="Last day to close.  [default: yesterday, UTC]")
@click.option("--change-protection", is_flag=True, help="Release with another menu or profile than the last release.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@click.option("--withhold", is_flag=True, help="Close the days without counts: they may be published already.")
@click.option("--keep-running", is_flag=True, help="Stay, and publish what falls due; needs --store-url.")
@with_settings("data", *STORE, *_PROTECTION, *_KEEPING)
def command(
    settings: Settings,
    through: dt.datetime | None,
    change_protection: bool,
    withhold: bool,
    form: str,
    keep_running: bool,
) -> None:
    """Close days that are over and release their counts.

    A running `collector serve` does this by itself every night; this verb asks it to do it now, with its
    own settings, or does it on a directory that nobody serves. A period that was released is never changed.

    With --keep-running it is the publishing part of a collector whose parts run apart: it stays and closes days by
    itself once every `collector ingest` has loaded them. Several may run on one store; one of them publishes.

    With --withhold, for a store that is back from an older copy: days that are over, and the open one until now, are
    closed without counts, since publishing them again with other noise would tell more than once.
    """
    if keep_running:
        if through or change_protection or withhold:
            fail("--keep-running closes days as they fall due: leave out --through, --change-protection and --withhold")
        serving.run(settings, Role.PUBLISH)
        return
    now = dt.datetime.now(dt.UTC)
    today = now.date()
    last = through.date() if through else today - dt.timedelta(days=1)
    if withhold:
        _withhold(settings, now, last, form)
        return
    try:
        answer = _ask(settings, last)
    except NoServerError:
        answer = _publish_here(settings, today, last, change_protection)
    if form == "json":
        click.echo(json.dumps(answer))
        return
    if answer["released"]:
        click.echo(f"released: {', '.join(answer['released'])}")
    if answer["waiting"]:
        click.echo(f"still open: {answer['waiting'][0]}; reports of it are on their way to the store, try again soon")
    elif not answer["released"]:
        click.echo(f"nothing to release through {last}: no report of these days is waiting to be counted")


def _withhold(settings: Settings, now: dt.datetime, through: dt.date, form: str) -> None:
    from collector.publish.publisher import NotOverError

    with open_room(settings) as room:
        room.loader.load_sealed()
        try:
            withheld = [str(period) for period in room.publisher.withhold(now, through)]
        except NotOverError as error:
            fail(str(error))
    if form == "json":
        click.echo(json.dumps({"withheld": withheld}))
    elif withheld:
        click.echo(f"closed without counts: {', '.join(withheld)}")
    else:
        click.echo(f"nothing to close through {through}")


def _ask(settings: Settings, through: dt.date) -> dict[str, Any]:
    """Asks a running `serve`, which publishes with its own settings."""
    source = click.get_current_context().get_parameter_source
    given = [name for name in _PROTECTION if source(name) is ParameterSource.COMMANDLINE]
    answer = None if given else ask(settings, "POST", "/publish", {"through": through.isoformat()})
    if answer is None:
        ask(settings, "GET", "/status")
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        fail(f"a collector serves {settings.data} and publishes with its own settings; leave out {options}")
    return answer


def _publish_here(settings: Settings, today: dt.date, through: dt.date, change_protection: bool) -> dict[str, Any]:
    from collector.publish.publisher import NotOverError

    with open_room(settings) as room:
        before, now = room.publisher.last_protection(), room.publisher.protection
        if before not in {None, now} and not change_protection:
            fail(
                f"the last release was made with {before}, these settings give {now}; "
                "use the settings of `collector serve`, or confirm with --change-protection"
            )
        room.loader.load_sealed()
        with progress("publishing", len(room.publisher.due(through)), "days") as advance:
            try:
                released = room.publisher.publish(today, through, done=lambda _: advance(1))
            except NotOverError as error:
                fail(str(error))
        keep_to_limits(room, today)
    return {"released": [str(period) for period in released], "waiting": []}
