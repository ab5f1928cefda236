"""`collector restore`."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collector.cli.ledger import note_done
from collector.cli.main import fail
from collector.cli.open import open_room
from collector.cli.options import STORE, with_settings
from collector.cli.progress import beginning, progress
from collector.layout import layout
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.settings import Settings
    from collector.store.backup import Backup


@click.command("restore")
@click.option(
    "--from", "directory", required=True, metavar="BACKUP", type=click.Path(path_type=Path), help="One backup."
)
@click.option("--check", is_flag=True, help="Only read the whole backup and compare it with what was written.")
@click.option(
    "--publish-again", is_flag=True, help="Publish days that ended since the backup: nothing of them was published yet."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="For people or machines.")
@with_settings("data", *STORE, "menu", "profile", "policy", "catalogue")
def command(settings: Settings, directory: Path, check: bool, publish_again: bool, form: str) -> None:
    """Put a backup back, into a store that holds nothing.

    Stop the collector first. Every partition is compared with the backup by count and checksum. Killed, or
    after an error, run it again: it goes on. Put the peppers back into DATA/secrets before the collector starts, and
    the file `forgotten` beside them: it keeps what was forgotten since the backup out of the store.

    What was published after the backup is lost, and is not published a second time: with other noise it would tell
    more than once. Days that ended since then are closed without counts; their reports still count in the
    weeks and months that end later. --publish-again publishes them, for when the collector was not running since.

    \b
      collector restore --from /backups/collector-20261127T031500Z --check
      collector restore --from /backups/collector-20261127T031500Z --data /var/lib/collector
    """
    from collector.store.backup import BackupError, open_backup

    try:
        backup = open_backup(directory.absolute())
        answer = _check(backup) if check else _restore(settings, backup, publish_again=publish_again)
    except BackupError as error:
        fail(str(error))
    if form == "json":
        click.echo(json.dumps(answer))
        return
    if check:
        click.echo(f"{directory}: all of its {answer['bytes']:,} bytes are what was written, {answer['rows']:,} rows")
        return
    click.echo(f"{answer['rows']:,} rows are back; every partition was compared")
    if answer["erased"]:
        click.echo(f"{answer['erased']:,} of them erased again: licences that were forgotten since")
    if answer["withheld"]:
        click.echo(f"closed without counts, since they may have been published before: {', '.join(answer['withheld'])}")
    click.echo("tokens and hidden values are those of the backup: revoke or hide again what was since")
    if settings.store_url is None:
        click.echo(f"next: put the peppers back into {settings.data}/secrets, then start the collector")


def _check(backup: Backup) -> dict[str, Any]:
    size = backup.manifest.bytes
    with progress("checking", size, "bytes") as advance:
        backup.check(advance)
    return {"rows": backup.manifest.rows, "bytes": size, "taken_at": backup.manifest.taken_at.isoformat()}


def _restore(settings: Settings, backup: Backup, *, publish_again: bool) -> dict[str, Any]:
    from collector.backups import restore
    from collector.store.erasing import OldPartsError
    from collector.store.move import NotEmptyError, NotEqualError

    try:
        # Before anything else makes them: what is there is not replaced.
        backup.put_beside(layout(settings).data)
    except ConfigurationError as error:
        fail(*error.problems)
    except OSError as error:
        fail(f"{error.filename or settings.data}: {error.strerror}")
    with open_room(settings, must_exist=False) as room, beginning("restoring", "rows") as begin:
        try:
            restored = restore(room, backup, dt.datetime.now(dt.UTC), begin, publish_again=publish_again)
        except (NotEmptyError, NotEqualError) as error:
            fail(str(error))
        except OldPartsError as error:
            fail(f"{error}; run the same again, it goes on")
        except OSError as error:
            fail(f"{error.filename or settings.data}: {error.strerror}; run the same again, it goes on")
    note_done(settings, "backup_restored", f"{backup.directory.name}, {restored.rows} rows")
    return {"rows": restored.rows, "erased": restored.erased, "withheld": [str(period) for period in restored.withheld]}
