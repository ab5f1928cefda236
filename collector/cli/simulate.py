"""`collector simulate`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector.cli.keeping import keep_to_limits
from collector.cli.ledger import note_done
from collector.cli.main import fail
from collector.cli.open import open_room
from collector.cli.options import with_settings
from collector.cli.progress import progress
from collector.layout import Layout

if TYPE_CHECKING:
    from collector.settings import Settings
    from collector.storeroom import StoreRoom

_LONGEST_DAYS = 365  # rows of more than 400 days would expire while they are loaded


@click.command("simulate")
@click.option("--days", type=click.IntRange(1, _LONGEST_DAYS), default=90, show_default=True, help="Days in the past.")
@click.option("--reports", type=click.IntRange(1), default=1_000_000, show_default=True, help="Reports in all.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed makes the same fleet.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day.  [default: yesterday, UTC]")
@click.option("--truth", type=click.Path(path_type=Path), help="Write the exact counts here; for tests only.")
@with_settings("data", "policy", "catalogue", "menu", "profile", "keep_after_release_days")
def command(
    settings: Settings, days: int, reports: int, seed: int, until: dt.datetime | None, truth: Path | None
) -> None:
    """Fill a directory with a made-up fleet, to look around.

    Sends it through the real validation into the spool, loads it and publishes every day. Wants a
    directory of its own, so that made-up reports do not mix with real ones.
    """
    today = dt.datetime.now(dt.UTC).date()
    last = until.date() if until else today - dt.timedelta(days=1)
    if last >= today:
        fail("--until must be before today (UTC): a day is published after it has ended")
    if (today - last).days + days > _LONGEST_DAYS:
        fail(f"the first day would be more than {_LONGEST_DAYS} days ago: rows so old expire while they are loaded")
    paths = Layout(settings.data.absolute())
    if paths.engine.exists() or (paths.spool.exists() and any(paths.spool.iterdir())):
        fail(f"{settings.data} already holds reports; give an empty directory with --data, or remove this one")
    if truth is not None and not truth.absolute().parent.is_dir():
        fail(f"--truth: there is no directory {truth.parent}")
    with open_room(settings, must_exist=False) as room:
        paths.simulated.touch()
        _simulate(room, days, reports, seed, last, truth)
        keep_to_limits(room, today)
    note_done(settings, "simulated", f"{days} days")
    click.echo(f"now look: collector usage --data {settings.data}")


def _simulate(room: StoreRoom, days: int, reports: int, seed: int, last: dt.date, truth: Path | None) -> None:
    from collector.ingest.spool import SpoolError
    from collector.simulate.run import Plan, simulate

    try:
        with progress("simulating", days, "days") as advance:
            plan = Plan(last, days, reports, seed, truth.absolute() if truth else None)
            result = simulate(plan, room, lambda _: advance(1))
    except SpoolError as error:
        fail(f"the reports could not be written ({error.outcome.value}): {error.outcome.meaning}")
    click.echo(
        f"{result.accepted:,} reports accepted and {result.rejected:,} rejected (made bad on purpose) "
        f"over {days} days, {result.released} periods released"
    )
