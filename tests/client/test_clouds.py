"""The stand-ins for the clouds' metadata services refuse what the real ones refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.client.cloud_services import ADDRESSES, CLOUDS, TOKEN, Said
from tests.client.clouds import InCloud, what_is_missing
from tests.client.conftest import Collector
from tests.conftest import PROJECT, missing

if TYPE_CHECKING:
    from pathlib import Path

_ASK = """
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(sys.argv[1], timeout=3).read().decode())
"""


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if what_is_missing():
        missing(what_is_missing())


@pytest.mark.parametrize(("cloud", "status"), [("aws", 401), ("azure", 400), ("gcp", 403), ("oracle", 403)])
def test_a_question_without_its_headers_is_refused(cloud: str, status: int) -> None:
    service = CLOUDS[cloud]
    assert service.answer("GET", service.path, {}).status == status
    needed = {name.lower(): value for name, value in service.needs.items()}
    assert service.answer("GET", service.path, needed).status == 200
    assert service.answer("GET", service.path, {**needed, "x-forwarded-for": "10.0.0.1"}).status == 403


@pytest.mark.parametrize("cloud", ["aws", "alibaba", "linode"])
def test_a_token_needs_its_seconds(cloud: str) -> None:
    service = CLOUDS[cloud]
    seconds = {service.token_needs.lower(): "60"}
    assert service.answer("PUT", service.token_path, {}).status == 400
    assert service.answer("GET", service.token_path, seconds).status == 405
    assert service.answer("PUT", service.token_path, seconds) == Said(200, TOKEN.encode())


def test_the_tool_runs_a_command_beside_the_service_and_records_what_it_asks(tmp_path: Path) -> None:
    log = tmp_path / "requests"
    tool = [sys.executable, "-m", "tests.client.clouds", "--cloud", "openstack", "--requests", str(log), "--"]
    url = "http://169.254.169.254/latest/meta-data/instance-type"
    command = ["sh", "-c", f"cat /sys/class/dmi/id/product_name && {sys.executable} -c '{_ASK}' {url} && exit 7"]
    done = subprocess.run([*tool, *command], cwd=PROJECT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (7, "OpenStack Nova\nm1.small\n"), done.stderr
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (line["to"], line["method"], line["path"]) == (ADDRESSES[0], "GET", "/latest/meta-data/instance-type")
    assert line["headers"]["host"] == "169.254.169.254"


def test_a_port_of_the_caller_can_be_reached_and_nothing_else_of_it() -> None:
    reached, hidden = Collector(), Collector()
    try:
        port = int(reached.url.rpartition(":")[2])
        with InCloud("none", "ok", [port]) as there:
            asked = there.run([sys.executable, "-c", _ASK, reached.url])
            assert "405" in asked.stderr
            assert "refused" in there.run([sys.executable, "-c", _ASK, hidden.url]).stderr
        assert (reached.connections, hidden.connections) == (1, 0)
    finally:
        reached.close()
        hidden.close()
