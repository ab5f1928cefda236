"""`collector serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from collector.cli import serving
from collector.cli.options import with_settings
from collector.roles import Role

if TYPE_CHECKING:
    from collector.settings import Settings


@click.command("serve")
@with_settings()
def command(settings: Settings) -> None:
    """Take reports, load them, publish, answer: everything on this machine.

    Stops cleanly on SIGTERM and Ctrl-C: what was acknowledged is on disk, and loaded or waiting. SIGHUP
    reads policy, catalogue and TLS certificate again; no connection is dropped, and a file with a mistake
    changes nothing (the log says what is wrong with it).
    """
    serving.run(settings, Role.SERVE)
