"""Every described machine makes exactly the report that is written beside it, whichever client looks at it."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from collector.ingest.validation import Accepted, Rejected, Validator
from schemas.reports import REPORTS
from tests.client.conformance.clients import Client, Place, each
from tests.client.conformance.machines import PERMITS, Machine, read_machines
from tests.conftest import running

EXAMPLES = Path(__file__).parents[3] / "schemas/examples"
MACHINES = read_machines()
WHOLE = {name: machine for name, machine in MACHINES.items() if not machine.missing}
STARTS_FRESH = True
DAY = dt.date(2026, 11, 26)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.mark.parametrize(("client", "machine"), each("machines", MACHINES))
def test_report(client: Client, machine: Machine, place: Place) -> None:
    machine.stand(place)
    told = place.tell(
        client,
        "show",
        "--reveal-key",
        *machine.arguments,
        environment=machine.environment,
        stdin=machine.stdin.encode(),
    )
    ids = [field["value"] for field in told["fields"] if field["field"] == "report_id"]
    assert all(_UUID.fullmatch(each) for each in ids)
    assert told == machine.told("".join(ids))


def test_they_are_many() -> None:
    assert len(MACHINES) >= 50


@pytest.mark.parametrize("name", [name for name, machine in MACHINES.items() if machine.example])
def test_some_are_the_examples_of_the_schemas(name: str) -> None:
    example = json.loads((EXAMPLES / f"{MACHINES[name].example}.pass.json").read_bytes())
    example.pop("report_id", None)
    assert MACHINES[name].values == example


def test_server_accepts_what_they_say(validator: Validator) -> None:
    verdicts = {
        name: validator.validate_json(REPORTS[machine.report], json.dumps(machine.values).encode(), DAY)
        for name, machine in MACHINES.items()
    }
    assert {name for name, verdict in verdicts.items() if isinstance(verdict, Accepted)} == set(WHOLE)
    assert all(isinstance(verdict, Accepted | Rejected) for verdict in verdicts.values())


def test_running_server_takes_them_all(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        connection = http.client.HTTPConnection(urlsplit(server.ingest).netloc)
        for name, machine in WHOLE.items():
            path = PERMITS["reports"][machine.report]["path"]
            connection.request("POST", path, json.dumps(machine.values), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["outcome"]) == (202, "accepted"), name
        connection.close()
