"""`collector audit`."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING

import click

from collector.cli.ledger import ledger_of
from collector.cli.main import fail
from collector.cli.options import with_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collector.reports.access.audit import Line
    from collector.settings import Settings

_DAYS = 7


@click.command("audit")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help=f"First day (UTC), e.g. 2026-10-01.  [default: the last {_DAYS} days]",
)
@click.option(
    "--what",
    "events",
    multiple=True,
    metavar="EVENT",
    help="Only these events, as backup_taken; or all of a sort: reading, changes. Repeatable.",
)
@click.option("--who", help="Only what this token, user or `collector` did.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data")
def command(settings: Settings, since: dt.datetime | None, events: tuple[str, ...], who: str | None, form: str) -> None:
    """Who looked at what, who signed in, who changed what: tokens, configuration, releases, backups, peppers, reports.

    \b
    collector audit --data DIR
    collector audit --data DIR --since 2026-10-01 --format json | jq -r '.lines[] | select(.who == "alice") | .path'

    collector audit --data DIR --since 2026-10-01 --what changes
    collector audit --data DIR --since 2026-10-01 --what pepper_destroyed --what reports_expired

    Each view and download is a line: who, role, by token, session, proxy or command, the question and how it was
    answered, never what the answer said. Each change is a line: by a command's user, or by the collector itself. Of a
    collector whose parts run apart, each part's directory has its own lines. No addresses, values or keys. Times are
    UTC; lines are kept for 13 months.
    """
    from collector.reports.access import audit

    wanted = _wanted(events)
    first = since.date() if since else dt.datetime.now(dt.UTC).date() - dt.timedelta(days=_DAYS)
    with ledger_of(settings) as ledger:
        lines = [line for line in audit.lines(ledger, first, wanted) if who in {None, line.who}]
    if form == "json":
        click.echo(json.dumps({"lines": [dataclasses.asdict(line) | {"at": _time(line)} for line in lines]}))
    elif not lines:
        click.echo(f"there are no lines since {first}")
    else:
        from collector.cli.table import show_table

        columns = ("time (UTC)", "event", "who", "role", "by", "status", "what")
        show_table(columns, [_row(line) for line in lines])


def _wanted(events: tuple[str, ...]) -> list[str]:
    """The events that were asked for by name or sort; none for all."""
    from collector.reports.access.audit import CHANGES, READING

    sorts: dict[str, Iterable[str]] = {"reading": READING, "changes": CHANGES}
    wanted: list[str] = []
    for event in events:
        if event not in {*sorts, *READING, *CHANGES}:
            fail(f"--what: there is no event {event}; there are: reading, changes, {', '.join([*READING, *CHANGES])}")
        wanted += sorts.get(event, [event])
    return wanted


def _time(line: Line) -> str:
    return dt.datetime.fromtimestamp(line.at, dt.UTC).isoformat().replace("+00:00", "Z")


def _row(line: Line) -> tuple[str, ...]:
    what = line.about or line.path + (f"?{line.query}" if line.query else "")
    time = _time(line).removesuffix("Z").replace("T", " ")
    return time, line.event.replace("_", " "), line.who, line.role, line.how, str(line.status or ""), what
