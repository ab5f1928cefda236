"""One ingest process: takes reports on a socket it inherited and writes them to its own spool.

Started by the supervisor as `python -m collector.worker ROLE INDEX SOCKET`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import resource
import socket
import sys
import uuid
from dataclasses import fields
from typing import TYPE_CHECKING

import structlog
import uvloop

from collector import child
from collector.configuration import Configuration, accepted
from collector.ingest import server, tally
from collector.ingest.intake import Intake
from collector.ingest.limits import Limits
from collector.ingest.protocol import Runner, Site
from collector.ingest.pseudonyms import PepperError, Peppers
from collector.ingest.reception import Reception
from collector.ingest.spool import SegmentWriter, Spool
from collector.ingest.tls import Certificate, CertificateError
from collector.ingest.validation import Validator
from collector.ingest.values import KnownValues
from collector.layout import layout
from collector.roles import Role
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.child import Orders
    from collector.settings import Settings

log = structlog.get_logger()
# Requests under way when a stop is asked for get this long; the supervisor waits a little longer.
DRAIN_SECONDS = 3
_LOOK_EVERY_SECONDS = 0.5
_TELL_EVERY_SECONDS = 60
_TIDY_EVERY_SECONDS = 1


async def work(settings: Settings, orders: Orders, role: Role, index: int, listening: socket.socket) -> None:
    """Serves until told to stop, then finishes what was begun and seals the spool."""
    paths = layout(settings)
    # Apart from the store, a collector is one of several: a pepper that it made by itself would be another one.
    peppers = Peppers(paths.secrets, makes=role is Role.SERVE)
    try:
        configuration = accepted(paths)
        peppers.prepare(today())
        certificate = read_certificate(settings)
    except (ConfigurationError, PepperError, CertificateError) as error:
        raise child.CannotStartError(str(error)) from error
    writer = SegmentWriter(
        paths.spool / f"w{index}",
        seal_after_bytes=settings.seal_after_bytes,
        reserve_percent=settings.reserve_percent,
        max_bytes=settings.max_spool_bytes and settings.max_spool_bytes // settings.workers,
    )
    if writer.recovered_rows:
        log.info("spool_recovered", rows=writer.recovered_rows)
    spool = Spool(writer)
    known = KnownValues(paths.known_values, settings.new_values_per_day)
    known.learn(configuration.catalogue)

    def validator(configuration: Configuration) -> Validator:
        return Validator(configuration.policy, configuration.catalogue, peppers.pseudonym, lambda: str(uuid.uuid4()))

    intake = Intake(validator(configuration), spool, known.budget, limits(settings), today)
    documents = server.Documents(configuration.policy)

    async def reload() -> None:
        """Takes policy, catalogue and certificate as they are now, or none of them."""
        changed = await asyncio.to_thread(accepted, paths)
        if certificate is not None:
            certificate.load()
        intake.validator = validator(changed)
        documents.tell(changed.policy)
        known.learn(changed.catalogue)

    orders.on_reload = reload
    tally.begin()
    reception = Reception(intake, settings.documentation_url)
    app = server.build(reception, spool, documents, behind_after_seconds=settings.behind_after_seconds)
    runner = Runner(app, reception, DRAIN_SECONDS)
    await runner.setup()
    await Site(runner, listening, certificate.context if certificate else None).start()
    gc.collect()
    gc.freeze()
    child.say_ready()
    beside = [asyncio.create_task(_tell()), asyncio.create_task(_tidy())]
    await _look_after(spool, known, settings.seal_after_seconds, orders.stop)
    await runner.cleanup()
    await spool.close()
    for task in beside:
        task.cancel()


async def _look_after(spool: Spool, known: KnownValues, seal_after_seconds: float, stop: asyncio.Event) -> None:
    """Seals what is old enough and learns what was published, until the stop."""
    while not stop.is_set():
        await spool.seal_if_older_than(seal_after_seconds)
        known.look()  # in this thread: the budget belongs to it
        try:
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY_SECONDS)
        except TimeoutError:
            continue


async def _tidy() -> None:
    """Frees what failed requests leave behind: their errors hold on to bodies until the next full collection."""
    while True:
        await asyncio.sleep(_TIDY_EVERY_SECONDS)
        gc.collect()  # soon done: what was there at the start is frozen


async def _tell() -> None:
    """Logs once a minute what an operator should look into; never which product or whose report."""
    while True:
        await asyncio.sleep(_TELL_EVERY_SECONDS)
        for outcome, reports in tally.take_worth_telling().items():
            log.warning("reports_refused", outcome=outcome, reports=reports)


def limits(settings: Settings) -> Limits:
    """The limits that these settings give."""
    return Limits(**{limit.name: getattr(settings, limit.name) for limit in fields(Limits)})


def read_certificate(settings: Settings) -> Certificate | None:
    """The certificate of the ingest port, or None where a proxy has it.

    Raises:
        CertificateError: it cannot be used.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_certificate, settings.tls_key)


def allow_connections() -> None:
    """Raises the soft limit of open files to the hard one: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def today() -> dt.date:
    """The UTC date."""
    return dt.datetime.now(dt.UTC).date()


def main() -> None:
    """Entry of the process."""
    role, index, descriptor = Role(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    listening = socket.socket(fileno=descriptor)
    allow_connections()
    child.run(
        f"ingest-{index}",
        lambda settings, orders: work(settings, orders, role, index, listening),
        uvloop.new_event_loop,
    )


if __name__ == "__main__":
    main()
