"""`collector move`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from collector import logs
from collector.cli.ledger import note_done
from collector.cli.main import fail
from collector.cli.options import with_options_of
from collector.cli.progress import beginning
from collector.layout import DirectoryInUseError, layout
from collector.settings import read_settings
from schemas.problems import ConfigurationError

_WAIT_SECONDS = 10


@click.command("move")
@click.option("--from", "source", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Data directory.")
@click.option("--to", "target", required=True, metavar="URL", help="clickhouse://owner@HOST:PORT, as --store-url.")
@with_options_of("store_tables", "store_password_file", "store_timeout_seconds")
def command(source: Path, target: str, **store: Any) -> None:  # noqa: ANN401 - settings by name
    """Take an embedded installation to a ClickHouse server.

    Stop `collector serve` first. Every partition is compared with its source by count and checksum. Killed, or after an
    error, run it again: what is there already stays. The server may hold nothing of another collector. Spool, peppers
    and tokens stay in DIR; the embedded engine is put aside in there, and you delete it once you trust the move.

    \b
      collector move --from DIR --to clickhouse://owner@db:8123 --store-password-file FILE
      collector serve --data DIR --store-url clickhouse://owner@db:8123 --store-password-file FILE
    """
    from collector.moving import Moving
    from collector.store.content import InterruptedClosingError
    from collector.store.engine import EngineError
    from collector.store.lease import HeldByAnotherError
    from collector.store.migrate import NewerDatabaseError, OtherClusterError
    from collector.store.move import NotEmptyError, NotEqualError

    logs.configure("text", "command", quiet=True)
    try:
        if not source.is_dir():
            fail(f"--from: there is no directory {source}")
        with beginning("moving", "rows") as begin:
            whole = read_settings(data=source, store_url=target, **store)
            moved = Moving(whole, layout(whole), _WAIT_SECONDS).run(begin)
    except ConfigurationError as error:
        fail(*error.problems)
    except DirectoryInUseError as error:
        fail(f"{error}; stop it first")
    except (NewerDatabaseError, OtherClusterError, HeldByAnotherError) as error:
        fail(str(error))
    except (NotEmptyError, InterruptedClosingError, NotEqualError) as error:
        fail(str(error))
    except EngineError as error:
        fail(f"{error}; run the same again, it goes on where it stopped")
    except OSError as error:
        fail(f"{error.filename or source}: {error.strerror}; run the same again, it goes on where it stopped")
    note_done(whole, "store_moved", f"{moved.rows} rows; the embedded engine is in {moved.kept.name}")
    click.echo(f"{moved.rows:,} rows are on the server, {moved.now:,} of them moved now; every partition was compared")
    click.echo(f"the embedded engine is kept in {moved.kept}: delete it once you trust the move")
    click.echo(f"next: collector serve --data {source} --store-url {target}, with the options of this command")
