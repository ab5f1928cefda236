"""A collector's directory with reports of a licence in every place where they can be."""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from collector.cli.main import cli
from collector.ingest.pseudonyms import Peppers
from collector.ingest.spool import SegmentWriter
from tests.conftest import Server
from tests.leaks.needles import Needle, text_needle, uuid_needle
from tests.sample_days import row, run_row

KEY, OTHER_KEY = "LICENCE-Q7ZK4M2X9VBD", "LICENCE-0000-OTHER-1"
TODAY = dt.datetime.now(dt.UTC).date()
# Of the quarter before: its pepper is another one.
EARLIER = TODAY.replace(month=(TODAY.month - 1) // 3 * 3 + 1, day=1) - dt.timedelta(days=1)
RUN = {"product": "installbuilder", "product_version": "25.7.0", "os_version": "windows-11", "language": "pt-BR"}


def asked(data: Path, *verb: str, key: str = KEY) -> Result:
    """A verb with the key on standard input."""
    return CliRunner().invoke(cli, [*verb, "--data", str(data)], input=f"{key}\n")


def told(data: Path, *verb: str) -> Any:
    """What a verb answers to machines."""
    done = asked(data, *verb, "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def receipt(data: Path, *more: str, code: int = 0) -> dict:
    done = asked(data, "forget", "--format", "json", *more)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def report(data: Path, *more: str, key: str = KEY) -> dict[str, int]:
    """Place -> how many reports are held."""
    done = asked(data, "subject-report", "--format", "json", *more, key=key)
    assert done.exit_code == 0, done.output
    places: dict[str, int] = {}
    for one in json.loads(done.stdout)["held"]:
        where = "store" if one["where"] in {"counted", "received"} else one["where"]
        places[where] = places.get(where, 0) + one["reports"]
    return places


def pseudonyms(data: Path, key: str = KEY) -> dict[dt.date, uuid.UUID]:
    peppers = Peppers(data / "secrets")
    return {day: uuid.UUID(peppers.pseudonym(key, day)) for day in (EARLIER, TODAY)}


def needle(data: Path) -> Needle:
    of_key, of_pseudonyms = text_needle("gone", KEY), uuid_needle("gone", *pseudonyms(data).values())
    return Needle("gone", of_key.exact | of_pseudonyms.exact, of_key.folded | of_pseudonyms.folded)


def spool(data: Path, day: dt.date = TODAY, *, damaged: bool = False, worker: str = "w7") -> None:
    """A sealed segment: three reports of the licence among others; damaged, one that the engine cannot read."""
    gone, other = pseudonyms(data)[day], pseudonyms(data, OTHER_KEY)[day]
    rows = [run_row(day, licence=one, language="pt-BR") for one in (gone, other) for _ in range(3)]
    rows += [row(day) for _ in range(5)]
    if damaged:
        rows = [one | {"report_id": f"damaged-{n}"} for n, one in enumerate(rows)]
    content = b"".join(json.dumps(one, default=str).encode() + b"\n" for one in rows)
    SegmentWriter(data / "spool" / worker, seal_after_bytes=1, reserve_percent=0).append(day, content)


def send(server: Server, key: str = KEY) -> None:
    """A run, as InstallBuilder reports it."""
    request = urllib.request.Request(
        f"{server.ingest}/v1/reports/installbuilder-run/1",
        json.dumps(RUN | {"license_key": key}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 202
