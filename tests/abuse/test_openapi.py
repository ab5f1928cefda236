"""The running server does what its OpenAPI document says, for whatever a tester makes of that document.

The tester runs as the program it is: its plug-in does not work with every pytest.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import BIN, Server, running

OPTIONS = [
    *("--trusted-proxies", "127.0.0.1", "--rate-per-second", "0.001", "--rate-burst", "5000"),
    *("--stopped-clients", "7"),
]
GOOD = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server") / "data", *OPTIONS) as server:
        yield server


def failures(server: Server, directory: Path, *options: str) -> str:
    """What the tester found; empty if nothing."""
    fixed = ["--seed", "1", "--warnings", "off", "--continue-on-failure", "--no-color", "--output-truncate", "false"]
    tester = [BIN / "schemathesis", "run", f"{server.ingest}/openapi.json", *fixed, *options]
    result = subprocess.run(tester, cwd=directory, capture_output=True, text=True, check=False, timeout=100)
    assert "Tested: 9" in result.stdout or "--phases=examples" in options, result.stdout + result.stderr
    return "" if result.returncode == 0 else result.stdout + result.stderr


def counted(server: Server, outcome: str) -> float:
    return server.metric(f'telemetry_reports_total{{outcome="{outcome}",report="image-boot/1"}}')


def test_server_keeps_to_its_document(server: Server, tmp_path: Path) -> None:
    # Which products may report is in the catalogue, not in the document: a made-up one is refused, and rightly so.
    options = ["--phases=examples,coverage,fuzzing", "--max-examples=60", "--exclude-checks=positive_data_acceptance"]
    assert not failures(server, tmp_path, *options, "-H", "X-Forwarded-For: 203.0.113.1")
    assert counted(server, "accepted") > 0
    assert counted(server, "invalid_format") > 0
    assert counted(server, "malformed") > 0
    said = [json.loads(line)["event"] for line in server.log.read_text().splitlines()]
    assert set(said) <= {"so_far_released"}, "which depends on the time of the day"


def test_examples_in_the_document_are_accepted(server: Server, tmp_path: Path) -> None:
    before = counted(server, "accepted") + counted(server, "valid")
    assert not failures(server, tmp_path, "--phases=examples", "-H", "X-Forwarded-For: 203.0.113.2")
    assert counted(server, "accepted") + counted(server, "valid") > before


def test_client_that_must_stop_and_one_that_sends_too_much_get_documented_answers(
    server: Server, tmp_path: Path
) -> None:
    options = ["--phases=coverage", "--mode=positive", "--exclude-checks=positive_data_acceptance"]
    headers = ["-H", "X-Forwarded-For: 203.0.113.3", "-H", "User-Agent: product-telemetry/7"]
    assert not failures(server, tmp_path, *options, *headers)
    assert counted(server, "client_stopped") > 0
    much = urllib.request.Request(
        f"{server.ingest}/v1/reports/image-boot/1",
        (json.dumps(GOOD) + "\n").encode() * 9_000,
        {"Content-Type": "application/x-ndjson", "X-Forwarded-For": "203.0.113.4"},
    )
    urllib.request.urlopen(much).close()
    assert not failures(server, tmp_path, *options, "-H", "X-Forwarded-For: 203.0.113.4")
    assert counted(server, "rate_limited") > 0
