"""Deleting what is too old, by a verb that publishes on a directory that nobody serves."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from collector.cli.ledger import this_user

if TYPE_CHECKING:
    import datetime as dt

    from collector.storeroom import StoreRoom


def keep_to_limits(room: StoreRoom, today: dt.date) -> None:
    """What the store process of a running collector does once an hour; says so where not all of it could be done."""
    from collector.journal import Journal
    from collector.reports.access.ledger import open_ledger
    from collector.retention.deleting import Deleting

    with (
        open_ledger(room.paths.access) as ledger,
        closing(Journal(room.paths.access, this_user(), "command")) as journal,
    ):
        done = Deleting(room, ledger, journal, room.publisher.limits).run(today)
    if not done:
        click.echo("note: not everything that is too old could be deleted; see: collector retention status", err=True)
