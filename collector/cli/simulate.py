"""`collector simulate`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
    directory of its own: made-up reports never mix with real ones.
    """
    today = dt.datetime.now(dt.UTC).date()
    last = until.date() if until else today - dt.timedelta(days=1)
    if last >= today:
        fail("--until must be before today (UTC): a day is published after it has ended")
    paths = Layout(settings.data.absolute())
    if paths.engine.exists() or (paths.spool.exists() and any(paths.spool.iterdir())):
        fail(f"{settings.data} already holds reports; give an empty directory with --data, or remove this one")
    with open_room(settings, must_exist=False) as room:
        paths.simulated.touch()
        _simulate(room, settings, days, reports, seed, last, truth)
    click.echo(f"now look: collector usage --data {settings.data}")


def _simulate(
    room: StoreRoom,
    settings: Settings,
    days: int,
    reports: int,
    seed: int,
    last: dt.date,
    truth_file: Path | None,
) -> None:
    from collector.configuration import read_configuration
    from collector.ingest.segment import SEALED, segments
    from collector.simulate.fleet import Fleet
    from collector.simulate.run import send
    from collector.simulate.traffic import Traffic
    from collector.simulate.truth import Truth

    configuration = read_configuration(settings)
    products = configuration.catalogue.products
    fleet = Fleet(configuration.catalogue, last - dt.timedelta(days=days - 1), days, reports, seed)
    truth = Truth(configuration.menu, lambda p, v: products[p].version_line(v)) if truth_file else None
    with progress("sending", reports, "reports") as advance:
        sent = send(fleet, Traffic(fleet, seed), truth, settings, configuration, room.paths, advance)
    sealed = list(segments(room.paths.spool, SEALED))
    with progress("loading", len(sealed), "segments") as advance:
        for path in sealed:
            room.loader.load(path)
            advance(1)
    with progress("publishing", len(room.publisher.due(last)), "days") as advance:
        released = room.publisher.publish(last + dt.timedelta(days=1), last, done=lambda _: advance(1))
    if truth is not None and truth_file is not None:
        truth.write(truth_file)
    click.echo(
        f"{sent.accepted:,} reports accepted and {sent.rejected:,} rejected over {days} days, "
        f"{len(released)} periods released"
    )
