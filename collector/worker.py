"""One ingest process: takes reports on a socket it inherited and writes them to its own spool.

Started by the supervisor as `python -m collector.worker INDEX SOCKET`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import sys
import uuid
from typing import TYPE_CHECKING

import structlog
import uvloop
from aiohttp import web

from collector import child
from collector.configuration import read_configuration
from collector.ingest import server
from collector.ingest.intake import Intake, Limits
from collector.ingest.protocol import Runner
from collector.ingest.pseudonyms import PepperError, Peppers
from collector.ingest.spool import SegmentWriter, Spool
from collector.ingest.validation import Validator
from collector.layout import layout
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collector.settings import Settings

log = structlog.get_logger()
# Requests under way when a stop is asked for get this long; the supervisor waits a little longer.
DRAIN_SECONDS = 8
_LOOK_EVERY_SECONDS = 0.5


async def work(settings: Settings, stop: asyncio.Event, index: int, listening: socket.socket) -> None:
    """Serves until `stop`, then finishes what was begun and seals the spool."""
    paths = layout(settings)
    peppers = Peppers(paths.secrets)
    try:
        configuration = read_configuration(settings)
        peppers.prepare(today())
    except (ConfigurationError, PepperError) as error:
        raise child.CannotStartError(str(error)) from error
    writer = SegmentWriter(
        paths.spool / f"w{index}",
        seal_after_bytes=settings.seal_after_bytes,
        reserve_percent=settings.reserve_percent,
    )
    if writer.recovered_rows:
        log.info("spool_recovered", rows=writer.recovered_rows)
    spool = Spool(writer)
    validator = Validator(configuration.policy, configuration.catalogue, peppers.pseudonym, lambda: str(uuid.uuid4()))
    limits = Limits(settings.max_body_bytes, settings.max_batch_bytes, settings.max_batch_lines)
    intake = Intake(validator, spool, limits, today)
    app = server.build(intake, spool, configuration.policy, settings.documentation_url)
    runner = Runner(app, settings.documentation_url, shutdown_timeout=DRAIN_SECONDS)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    child.say_ready()
    while not stop.is_set():
        await spool.seal_if_older_than(settings.seal_after_seconds)
        try:
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY_SECONDS)
        except TimeoutError:
            continue
    await runner.cleanup()
    await spool.close()


def today() -> dt.date:
    """The UTC date."""
    return dt.datetime.now(dt.UTC).date()


def main() -> None:
    """Entry of the process."""
    index, descriptor = int(sys.argv[1]), int(sys.argv[2])
    listening = socket.socket(fileno=descriptor)
    child.run(
        f"ingest-{index}",
        lambda settings, stop: work(settings, stop, index, listening),
        uvloop.new_event_loop,
    )


if __name__ == "__main__":
    main()
