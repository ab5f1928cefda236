"""`collector pepper`."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

import click

from collector.cli.ledger import note_done, today
from collector.cli.main import fail
from collector.cli.open import NoServerError, ask, open_room
from collector.cli.options import STORE, with_settings
from collector.layout import layout
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.ingest.pseudonyms import Peppers
    from collector.settings import Settings

_QUARTER = re.compile(r"(\d{4})Q([1-4])")


@click.group("pepper")
def command() -> None:
    """The secrets under which licence keys become pseudonyms, one a quarter.

    `collector serve` makes them by itself, two weeks ahead where it is alone with its engine, and destroys them when
    nothing that was made under them is left. Several machines with `collector ingest` must have the same ones: make the
    next quarter's on one machine before the quarter begins, and copy secrets/pepper-* to all, mode 0600. They are never
    shown; what `list` prints are fingerprints, which tell them apart and say nothing about keys.

    \b
      collector pepper make 2027Q1 --data DIR
      collector pepper list --data DIR
    """


@command.command("make")
@click.argument("quarter", required=False)
@with_settings("data")
def make(settings: Settings, quarter: str | None) -> None:
    """Make the pepper of QUARTER, as 2027Q1; of the one that runs, if none is given. One that is there stays."""
    day = _first_day(quarter) if quarter else dt.datetime.now(dt.UTC).date()
    peppers = _peppers(settings)
    made = not peppers.is_there(day)
    _say(peppers, day, ", made now" if made else ", was there already")
    if made:
        from collector.ingest.pseudonyms import quarter as name_of

        note_done(settings, "pepper_made", name_of(day))


@command.command("list")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", "policy", "keep_after_release_days", "publish_at_the_latest_after_hours")
def list_(settings: Settings, form: str) -> None:
    """The quarters whose peppers are here: fingerprints to compare between machines, and what keeps each.

    Beside a running collector the store is asked whether reports of a quarter are left; without one, what lies on this
    disk decides, and the day by which the last of them is dropped. One that may go is destroyed within the hour by a
    running collector, and not used by anything.
    """
    found = _lives(settings)
    if form == "json":
        click.echo(json.dumps({"peppers": found}))
        return
    for one in found:
        until = f" until {one['until']}" if one["until"] else ""
        because = f", because {one['because']}" if one["because"] else ""
        click.echo(
            f"{one['quarter']}  fingerprint {one['fingerprint'] or 'cannot be read'}  {one['state']}{until}{because}"
        )
    if not found:
        click.echo("none yet")


def _lives(settings: Settings) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = ask(settings, "GET", "/peppers")["peppers"]
    except NoServerError:
        from collector.configuration import limits_of
        from collector.retention.pepper_life import lives
        from schemas.policy import load_policy

        try:
            paths, limits = layout(settings), limits_of(settings, load_policy(settings.policy))
        except ConfigurationError as error:
            fail(*error.problems)
        found = [one.shown() for one in lives(paths, today(), limits, None, None)]
    return found


@command.command("lost")
@click.argument("quarter")
@with_settings("data", *STORE)
def lost(settings: Settings, quarter: str) -> None:
    """Tell a ClickHouse server that the pepper of QUARTER, as 2026Q4, is lost or known to others.

    Stop the collectors first. Then the next pepper that one of them comes with is believed: `collector pepper make` on
    one, and the file copied to the others. In the month of the loss a licence that ran before and after it
    counts twice. Removes the file here, too, if it is there.
    """
    from collector.ingest.pseudonyms import destroy
    from collector.store.shared_pepper import forget

    day = _first_day(quarter)
    with open_room(settings, up_to_date=False) as room:
        known = forget(room.engine, quarter)
        file = room.paths.secrets / f"pepper-{quarter}"
        there = destroy(room.paths.secrets, quarter)
    if known or there:
        note_done(settings, "pepper_lost", quarter)
    said = [
        text for is_so, text in ((known, "the store forgot its fingerprint"), (there, f"{file} is removed")) if is_so
    ]
    click.echo(f"{quarter}: {' and '.join(said) or 'neither the store nor this machine knew it'}")
    click.echo(f"next, on one machine: collector pepper make {quarter}, for the quarter that begins on {day}")


def _say(peppers: Peppers, day: dt.date, more: str = "") -> None:
    from collector.ingest.pseudonyms import PepperError, quarter

    try:
        click.echo(f"{quarter(day)}  fingerprint {peppers.fingerprint(day)}{more}")
    except PepperError as error:
        fail(str(error))


def _peppers(settings: Settings) -> Peppers:
    from collector.ingest.pseudonyms import Peppers

    try:
        return Peppers(layout(settings).secrets)
    except ConfigurationError as error:
        fail(*error.problems)


def _first_day(quarter: str) -> dt.date:
    match = _QUARTER.fullmatch(quarter)
    if match is None:
        fail("a quarter is given as 2027Q1")
    return dt.date(int(match[1]), 3 * int(match[2]) - 2, 1)
