"""`collector reports`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from collector.cli import serving
from collector.cli.options import STORE, with_settings
from collector.roles import Role

if TYPE_CHECKING:
    from collector.settings import Settings


@click.command("reports")
@with_settings(
    "data",
    *STORE,
    *("reports_host", "reports_port", "reports_url", "trusted_user_header", "trusted_user_proxies"),
    *("metrics_host", "metrics_port", "policy", "catalogue", "menu", "profile", "publish_after_minutes"),
    *("silent_process_seconds", "log_format"),
)
def command(settings: Settings) -> None:
    """Show published counts: dashboard and API, from a ClickHouse server.

    Needs --store-url with a user that may read the database `public`, and nothing else. Its data directory holds who
    may sign in; give it one of its own.
    """
    serving.run(settings, Role.REPORTS)
