"""What `serve`, `ingest`, `reports` and `publish --keep-running` have in common: supervised until a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from collector import logs
from collector.cli.main import fail
from collector.layout import DirectoryInUseError, layout
from collector.roles import Role
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.settings import Settings


def run(settings: Settings, role: Role) -> None:
    """Runs this part of a collector until it is told to stop; whatever keeps it from starting ends the program."""
    if role is not Role.SERVE and settings.store_url is None:
        fail(
            f"collector {role} is one part of a collector, and the parts meet in a ClickHouse server: give "
            "--store-url; `collector serve` does everything on one machine without one"
        )
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
            supervisor = Supervisor(settings, role, _announce)
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
    if "ingest" in addresses:
        click.echo(f"taking reports at {addresses['ingest']}")
    shown = f"published counts at {addresses['reports']}/, " if "reports" in addresses else ""
    click.echo(f"{shown}metrics at {addresses['metrics']}/metrics")
    if not store_works:
        waiting = "reports wait on disk meanwhile; " if "ingest" in addresses else ""
        click.echo(f"the store does not answer yet: {waiting}the log says more")
    reading = " To read the counts, make a token: collector token create NAME" if "reports" in addresses else ""
    click.echo(f"Ctrl-C stops.{reading}")
    sys.stdout.flush()
