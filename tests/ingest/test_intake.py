from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from collector.ingest.intake import JSON, Intake
from collector.ingest.spool import SegmentWriter, Spool
from collector.ingest.validation import Validator
from collector.ingest.values import ValueBudget
from collector.settings import Settings
from collector.worker import limits
from schemas.outcomes import Outcome
from schemas.reports import REPORTS

GOOD = json.dumps({"source": "vm", "product": "wordpress", "product_version": "6.4.2-0"}).encode()


async def test_clock_that_was_never_set_takes_no_report_and_clients_keep_theirs(
    tmp_path: Path, validator: Validator
) -> None:
    days = [dt.date(1970, 1, 1), dt.date(2026, 9, 14)]
    spool = Spool(SegmentWriter(tmp_path / "w0", seal_after_bytes=1 << 20, reserve_percent=0))
    intake = Intake(validator, spool, ValueBudget(100), limits(Settings(data=tmp_path)), lambda: days.pop(0))
    report = REPORTS["image-boot/1"]
    assert await intake.take(report, JSON, GOOD, dry_run=False) == [(Outcome.UNAVAILABLE, None)]
    assert not list(tmp_path.rglob("*.ndjson"))  # noqa: ASYNC240 - nobody else is on this loop
    assert await intake.take(report, JSON, GOOD, dry_run=False) == [(Outcome.ACCEPTED, None)]
    await spool.close()
