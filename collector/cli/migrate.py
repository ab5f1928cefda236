"""`collector migrate`."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import TYPE_CHECKING

import click

from collector.cli.ledger import note_done
from collector.cli.main import fail
from collector.cli.open import open_room
from collector.cli.options import STORE, with_settings

if TYPE_CHECKING:
    from collector.settings import Settings
    from collector.store.engine import Engine
    from collector.store.migrate import Migration

_WAIT_SECONDS = 60


@click.group("migrate")
def command() -> None:
    """Bring the database to this program's version.

    `collector serve` does this by itself when it starts. Where the parts of a collector run apart, with users that may
    not change tables, this does it, with the database user `owner`. DIR remembers nothing but a name by which the
    server knows these statements.

    \b
      collector migrate status --data DIR --store-url clickhouse://owner@db:8123 --store-password-file FILE
      collector migrate plan   --data DIR ...
      collector migrate apply  --data DIR ...
    """


@command.command("status")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", *STORE)
def status(settings: Settings, form: str) -> None:
    """Which version each server is at, and which this program needs; changes nothing."""
    from collector.store.migrate import applied, migrations

    with open_room(settings, must_exist=settings.store_url is None, up_to_date=False) as room:
        versions = [max(found, default=0) for found in applied(room.engine)]
    needed = migrations()[-1].version
    if form == "json":
        click.echo(json.dumps({"servers": versions, "needed": needed}))
        return
    for number, version in enumerate(versions, 1):
        click.echo(f"server {number}: version {version}" + ("" if version == needed else f", needs {needed}"))


@command.command("plan")
@with_settings("data", *STORE)
def plan(settings: Settings) -> None:
    """The statements that `apply` would run on each server that lacks them; changes nothing."""
    from collector.store.migrate import DATABASES
    from collector.store.replication import replicated
    from collector.store.sharded import distributing

    with open_room(settings, must_exist=settings.store_url is None, up_to_date=False) as room:
        steps = _missing(room.engine)
        on_the_first = distributing(room.engine)
    if not steps:
        click.echo("-- nothing: the database is at this program's version")
        return
    parts = [("databases", list(DATABASES))]
    parts += [(f"{step.version:04} {step.name}", step.statements) for step in steps]
    shown = replicated if settings.store_tables == "replicated" else str
    for title, statements in [*parts, *([("on the first server", on_the_first)] if on_the_first else [])]:
        click.echo(f"-- {title}")
        for statement in statements:
            click.echo(f"{shown(statement)};\n")


@command.command("apply")
@with_settings("data", *STORE)
def apply(settings: Settings) -> None:
    """Bring the database up to date. Safe to run twice, from two places at once, and again after it was killed."""
    from collector.store.lease import HeldByAnotherError
    from collector.store.migrate import OtherClusterError, migrate

    with open_room(settings, must_exist=settings.store_url is None, up_to_date=False) as room:
        _missing(room.engine)
        until = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                steps = migrate(room.engine, dt.datetime.now(dt.UTC).date())
                break
            except OtherClusterError as error:
                fail(str(error))
            except HeldByAnotherError:
                if time.monotonic() > until:
                    fail("another program is changing the database, and is not done yet; try again later")
                time.sleep(1)
    for step in steps:
        click.echo(f"applied {step.version:04} {step.name}")
        note_done(settings, "store_migrated", f"{step.version:04} {step.name}")
    if not steps:
        click.echo("nothing to do: the database is at this program's version")


def _missing(engine: Engine) -> list[Migration]:
    from collector.store.migrate import NewerDatabaseError, missing

    try:
        return missing(engine)
    except NewerDatabaseError as error:
        fail(str(error))
