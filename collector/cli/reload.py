"""`collector reload`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from collector.cli.options import with_settings
from collector.cli.products import FILES, as_served
from collector.cli.take_up import say_taken_up

if TYPE_CHECKING:
    from collector.settings import Settings


@click.command("reload")
@with_settings(*FILES)
def command(settings: Settings) -> None:
    """Have a running `collector serve` read policy, catalogue and TLS certificate again.

    No connection is dropped, and a file with a mistake changes nothing. What SIGHUP does, and it waits until
    every process works with it. A changed menu needs a restart. Ends with 1 where none runs.
    """
    say_taken_up(as_served(settings), must_run=True)
