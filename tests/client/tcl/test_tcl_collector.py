"""The Tcl client and the real collector, over real TLS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.conftest import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.client.tcl.tclsh import Tcl

AUTHORITY = trustme.CA()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("tls")
    issued = AUTHORITY.issue_cert("localhost")
    certificate, key = directory / "chain.pem", directory / "key.pem"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    with running(directory / "data", "--tls-certificate", str(certificate), "--tls-key", str(key)) as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    return "https://localhost:" + server.ingest.rsplit(":", 1)[1].strip("/")


@pytest.fixture
def trusting(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(file)
    return {"SSL_CERT_FILE": str(file)}


def test_a_run_of_installbuilder(tcl: Tcl, url: str, trusting: dict[str, str]) -> None:
    told = tcl.report(f"-url {url} -license EXAMPLE-0000-1111", **trusting)
    assert (told.outcome, told.message) == ("accepted", "accepted: the report is on the collector's disk")


def test_what_waited_goes_out(tcl: Tcl, url: str, trusting: dict[str, str]) -> None:
    assert tcl.report(f"-url {url}").outcome == "waiting"
    (tcl.state / "not-before").unlink()
    tcl.agree()
    told = tcl.tell("send", "--product", "nginx", "--product-version", "1.27.3", "--url", url, **trusting)
    assert told == {
        "outcome": "accepted",
        "message": "accepted: the report is on the collector's disk",
        "also_sent": 1,
    }
    assert not list((tcl.state / "outbox").iterdir())


def test_a_dry_run_and_a_refusal(tcl: Tcl, url: str, trusting: dict[str, str]) -> None:
    facts = ("send", "--dry-run", "--url", url, "--product-version", "1.27.3")
    assert tcl.tell(*facts, "--product", "nginx", TELEMETRY="off", **trusting)["outcome"] == "opted out"
    done = tcl.cli(*facts, "--product", "no-such-product", "--format", "json", TELEMETRY="on", **trusting)
    assert done.returncode == 1
    assert json.loads(done.stdout)["message"] == "it would be refused: HTTP 422, unknown_product, product"


def test_beside_the_caller(tcl: Tcl, url: str, trusting: dict[str, str]) -> None:
    (told,) = tcl.run(
        f"""
        proc done {{result}} {{set ::over [dict get $result outcome]}}
        telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url {url} -command done
        vwait over
        tell $over
        """,
        **trusting,
    )
    assert told == ["accepted"]
