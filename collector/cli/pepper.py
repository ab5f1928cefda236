"""`collector pepper`."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import click

from collector.cli.main import fail
from collector.cli.open import open_room
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

    `collector serve` makes them by itself. Several machines with `collector ingest` must have the same ones: make the
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


@command.command("list")
@with_settings("data")
def list_(settings: Settings) -> None:
    """The quarters whose peppers are here, with fingerprints to compare between machines."""
    from collector.ingest.pseudonyms import QUARTER_FILE

    peppers = _peppers(settings)
    found = sorted(path.name.removeprefix(QUARTER_FILE) for path in peppers.directory.glob(f"{QUARTER_FILE}*"))
    for name in found:
        if _QUARTER.fullmatch(name):
            _say(peppers, _first_day(name))
    if not found:
        click.echo("none yet")


@command.command("lost")
@click.argument("quarter")
@with_settings("data", *STORE)
def lost(settings: Settings, quarter: str) -> None:
    """Tell a ClickHouse server that the pepper of QUARTER, as 2026Q4, is lost or known to others.

    Stop the collectors first. Then the next pepper that one of them comes with is believed: `collector pepper make` on
    one, and the file copied to the others. In the month of the loss a licence that ran before and after it
    counts twice. Removes the file here, too, if it is there.
    """
    from collector.store.shared_pepper import forget

    day = _first_day(quarter)
    with open_room(settings, up_to_date=False) as room:
        known = forget(room.engine, quarter)
        file = room.paths.secrets / f"pepper-{quarter}"
        there = file.exists()
        file.unlink(missing_ok=True)
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
