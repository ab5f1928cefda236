"""How a verb reaches tokens, audit trail and hidden values: in their file, beside a running `serve` or without one."""

from __future__ import annotations

import datetime as dt
import getpass
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from collector.cli.main import fail
from collector.layout import Layout
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.reports.access.audit import Change
    from collector.reports.access.ledger import Ledger
    from collector.settings import Settings


@contextmanager
def ledger_of(settings: Settings) -> Iterator[Ledger]:
    """The ledger of a data directory; whatever keeps it from opening ends the program with a line that says so."""
    from collector.reports.access.ledger import LedgerError, open_ledger

    paths = Layout(settings.data.absolute())
    if not any(path.exists() for path in (paths.lock, paths.spool, paths.engine)):
        fail(f"{settings.data} holds no collector data; `collector serve` or `collector simulate` makes some")
    try:
        with open_ledger(paths.access) as ledger:
            yield ledger
    except ConfigurationError as error:
        fail(*error.problems)
    except LedgerError as error:
        fail(f"{paths.access} cannot be used: {error.code}; nothing was changed")


def this_user() -> str:
    """Who runs the command, for the audit trail."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a container without a list of users
        return f"user {os.getuid()}"


def note_done(settings: Settings, event: Change, about: str = "") -> None:
    """Writes down in the audit trail of the data directory what this command did; says so where it cannot."""
    from collector.journal import Journal

    journal = Journal(Layout(settings.data.absolute()).access, this_user(), "command")
    try:
        written = journal.note(event, about)
    finally:
        journal.close()
    if not written:
        click.echo("note: it is done, but could not be written to the audit trail; see: collector doctor", err=True)


def today() -> dt.date:
    """The UTC date."""
    return dt.datetime.now(dt.UTC).date()


def now() -> int:
    """UTC seconds."""
    return int(dt.datetime.now(dt.UTC).timestamp())


def day(seconds: int) -> str:
    """The UTC date of a time."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
