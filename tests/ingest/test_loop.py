"""The event loop is never blocked: one slow disk must not hold up every machine that phones home."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from aiohttp import ClientSession, web
from blockbuster import blockbuster_ctx

from collector.configuration import Configuration
from collector.ingest import server
from collector.ingest.intake import Intake
from collector.ingest.protocol import Runner
from collector.ingest.pseudonyms import Peppers
from collector.ingest.reception import Reception
from collector.ingest.spool import SegmentWriter, Spool
from collector.ingest.validation import Validator
from collector.ingest.values import ValueBudget
from collector.settings import Settings
from collector.worker import limits
from tests.sample_days import DAY

BOOT = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0"}
RUN = {"product": "installbuilder", "product_version": "25.7.0", "license_key": "CANARY-0000-KEY"}


async def test_taking_reports_makes_no_blocking_call_in_the_loop(tmp_path: Path, configuration: Configuration) -> None:
    peppers = Peppers(tmp_path / "secrets")
    peppers.prepare(DAY)
    spool = Spool(SegmentWriter(tmp_path / "spool" / "w0", seal_after_bytes=2000, reserve_percent=0))
    validator = Validator(configuration.policy, configuration.catalogue, peppers.pseudonym, lambda: str(uuid.uuid4()))
    intake = Intake(validator, spool, ValueBudget(100), limits(Settings(data=tmp_path)), lambda: DAY)
    reception = Reception(intake, "/v1/data")
    app = server.build(reception, spool, server.Documents(configuration.policy), behind_after_seconds=60)
    runner = Runner(app, reception, 3)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    with blockbuster_ctx(["collector"]):
        async with ClientSession() as session:
            posts = [session.post(f"{url}/v1/reports/image-boot/1", json=BOOT) for _ in range(50)]
            posts += [session.post(f"{url}/v1/reports/installbuilder-run/1", data=RUN) for _ in range(50)]
            for answer in await asyncio.gather(*posts):
                assert answer.status == 202
                answer.release()
            async with session.get(f"{url}/readyz") as answer:
                assert answer.status == 200
        await spool.seal_if_older_than(0)
    await runner.cleanup()
    await spool.close()
