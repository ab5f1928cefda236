"""`collector backup`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collector.cli.ledger import note_done
from collector.cli.main import fail
from collector.cli.open import NoServerError, ask_along, open_room
from collector.cli.options import STORE, with_settings
from collector.cli.progress import beginning
from collector.forgotten import KEPT_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.settings import Settings


@click.command("backup")
@click.option("--to", "into", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where backups are.")
@click.option("--keep-days", type=click.IntRange(1), default=KEPT_DAYS, show_default=True, help="Older ones go.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", *STORE)
def command(settings: Settings, into: Path, keep_days: int, form: str) -> None:
    """Copy all counts, and the reports that are still needed, to a directory.

    A running collector does it and goes on taking and loading reports; days are not closed meanwhile. Each backup is a
    directory of its own in DIR; `collector restore` puts one back. Bring it to another disk. Whoever runs the
    collector must be allowed to write to DIR.

    \b
    What is not in it, and is to be kept apart from it:
      peppers     DATA/secrets: whoever has both can test guessed licence keys
      the spool   reports on their way to the store; they are loaded when the collector runs again
    """
    into = into.absolute()
    with beginning("backing up", "rows") as begin:
        try:
            answer = ask_along(settings, "/backup", {"to": str(into), "keep_days": str(keep_days)}, begin)
        except NoServerError:
            answer = _take_here(settings, into, keep_days, begin)
    note_done(settings, "backup_taken", answer["backup"])
    for path in answer["removed"]:
        note_done(settings, "backup_removed", path)
    if form == "json":
        click.echo(json.dumps(answer))
        return
    click.echo(f"{answer['backup']}: {answer['rows']:,} rows, {answer['bytes']:,} bytes")
    for path in answer["removed"]:
        click.echo(f"removed, older than {keep_days} days: {path}")


def _take_here(
    settings: Settings, into: Path, keep_days: int, begin: Callable[[int], Callable[[int], None]]
) -> dict[str, Any]:
    from collector.backups import shown, take, why_not
    from collector.store.backup import BackupError
    from collector.store.content import InterruptedClosingError

    with open_room(settings) as room:
        room.loader.load_sealed()
        try:
            return shown(take(room, into, keep_days, begin))
        except (BackupError, InterruptedClosingError) as error:
            fail(str(error))
        except OSError as error:
            fail(why_not(error, into))
