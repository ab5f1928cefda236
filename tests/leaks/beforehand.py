"""What lies in the data directory before the program starts, and what is looked for from then on."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from pathlib import Path

from collector.configuration import read_configuration
from collector.ingest.pseudonyms import Peppers
from collector.ingest.spool import SegmentWriter
from collector.ingest.validation import Accepted, Validator
from collector.layout import layout
from collector.settings import Settings
from schemas.reports import REPORTS
from tests.leaks.needles import QUESTION, Needle, address_needle, bytes_needle, marker, text_needle, uuid_needle
from tests.leaks.planted import ADDRESSES, GOOD, GOOD_RUN, KEY, KEY_CORE, RARE_CORE

CLIENT = "127.66.77.88"
"""Where requests come from: an address of this machine that nothing else has."""
SET_ASIDE = "asidec4d2e1"
OWNERS = 150
BOOTS = 300


def today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def earlier_day() -> dt.date:
    """The last day of a month that is over: its closing releases the month, licences included."""
    return today().replace(day=1) - dt.timedelta(days=1)


def prepare(data: Path) -> list[Needle]:
    """Leaves reports of an earlier day in a spool and a damaged segment in another; returns what to look for."""
    settings = Settings(data=data)
    paths, configuration = layout(settings), read_configuration(settings)
    paths.lock.touch(mode=0o600)
    peppers = Peppers(paths.secrets)
    validator = Validator(configuration.policy, configuration.catalogue, peppers.pseudonym, lambda: str(uuid.uuid4()))
    owners = [GOOD_RUN | {"license_key": key} for key in (KEY, *(f"OWNER-{n:06d}" for n in range(OWNERS)))]
    rows = []
    for report, body in [("image-boot/1", GOOD)] * BOOTS + [("installbuilder-run/1", owner) for owner in owners]:
        verdict = validator.validate_json(REPORTS[report], json.dumps(body).encode(), earlier_day())
        assert isinstance(verdict, Accepted)
        rows.append(verdict.row)
    _leave(paths.spool / "w8", earlier_day(), b"".join(rows))
    damaged = json.loads(rows[0]) | {"report_id": f"no-id-{SET_ASIDE}", "received_on": today().isoformat()}
    _leave(paths.spool / "w9", today(), json.dumps(damaged).encode() + b"\n")
    return _needles(peppers, paths.secrets)


def _leave(directory: Path, day: dt.date, rows: bytes) -> None:
    SegmentWriter(directory, seal_after_bytes=1, reserve_percent=0).append(day, rows)


def _needles(peppers: Peppers, secrets: Path) -> list[Needle]:
    pseudonyms = {uuid.UUID(peppers.pseudonym(KEY, day)) for day in (earlier_day(), today())}
    return [
        text_needle("licence key", KEY_CORE),
        text_needle("marker", marker("")),
        text_needle("question", QUESTION),
        text_needle("rare value", RARE_CORE),
        text_needle("set aside", SET_ASIDE),
        address_needle("address", CLIENT, *ADDRESSES),
        uuid_needle("pseudonym", *pseudonyms),
        *(bytes_needle(path.name, path.read_bytes()) for path in secrets.iterdir()),
    ]
