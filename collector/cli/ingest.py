"""`collector ingest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from collector.cli import serving
from collector.cli.options import all_but, with_settings
from collector.roles import Role

if TYPE_CHECKING:
    from collector.settings import Settings


@click.command("ingest")
@with_settings(*all_but("reports_", "trusted_user_", "publish_"))
def command(settings: Settings) -> None:
    """Take reports and load them into a ClickHouse server: one of several machines that do.

    Needs --store-url with a user that may insert reports; the tables are made by `collector migrate apply`, the days
    closed by `collector publish --keep-running`. All machines need the same peppers: `collector pepper make` on one,
    then copy the file. Stopped, it says in the database that it leaves, if nothing waits in its spool; else the
    days that it may hold reports of are closed late, and as incomplete. `collector nodes` lists the machines.
    """
    serving.run(settings, Role.INGEST)
