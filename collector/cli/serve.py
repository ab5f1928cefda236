"""`collector serve`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from collector import logs
from collector.cli.main import fail
from collector.cli.options import with_settings
from collector.layout import DirectoryInUseError, layout
from schemas.problems import ConfigurationError

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
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    logs.configure(settings.log_format, "supervisor")
    try:
        paths = layout(settings)
        # Read once, at import, by the library that adds the processes' metrics up.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.fspath(paths.metrics)
        from collector.ingest.pseudonyms import PepperError
        from collector.ingest.tls import CertificateError
        from collector.listening import AddressInUseError
        from collector.supervisor import Supervisor

        if paths.simulated.exists():
            click.echo("note: this directory holds simulated reports; use another one for real ones", err=True)
        try:
            supervisor = Supervisor(settings, _announce)
            asyncio.run(supervisor.run())
            if supervisor.failed:
                fail(f"process {supervisor.failed} cannot start; its line above says why")
        except (AddressInUseError, CertificateError, PepperError) as error:
            fail(str(error))
    except ConfigurationError as error:
        fail(*error.problems)
    except DirectoryInUseError as error:
        fail(f"{error}; stop it, or give another directory with --data")
    except PermissionError:
        fail(f"{settings.data}: permission denied; run this as the user that it belongs to")
    except OSError as error:
        what = "is not a directory" if isinstance(error, FileExistsError) else error.strerror
        fail(f"{settings.data}: {what}")


def _announce(addresses: dict[str, str], store_works: bool) -> None:
    click.echo(f"taking reports at {addresses['ingest']}")
    click.echo(f"published counts at {addresses['reports']}/, metrics at {addresses['metrics']}/metrics")
    if not store_works:
        click.echo("the store does not answer yet: reports wait on disk meanwhile; the log says more")
    click.echo("Ctrl-C stops. To read the counts, make a token: collector token create NAME")
    sys.stdout.flush()
