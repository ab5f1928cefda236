"""`verify` with each program that can ask, and with each awk that can compare."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.client.conformance.clients import wants_all
from tests.client.conformance.listener import Listener
from tests.client.conformance.test_conform_tls import TlsListener
from tests.client.conformance.verifications import read_verifications
from tests.client.shell.shells import NEEDED, Ran, directory_of, run
from tests.conftest import missing

if TYPE_CHECKING:
    from pathlib import Path

    import trustme

CASES = read_verifications()
# Those in which an awk or a program that prints the answer may go its own way.
NAMES = ("purpose-and-clause-changed", "not-ascii")
if wants_all():
    NAMES += ("same", "one-field-withdrawn", "in-chunks", "cut-short", "null", "huge")
USUAL = (*NEEDED, "timeout")


def verify(tmp_path: Path, url: str, path: str, environment: dict[str, str] | None = None) -> Ran:
    (tmp_path / "root").mkdir(exist_ok=True)
    places = ("--root", str(tmp_path / "root"), "--state-dir", str(tmp_path / "state"))
    return run("dash", "verify", *places, "--url", url, "--format=json", path=path, environment=environment)


@pytest.mark.parametrize("program", ["curl", "wget", "nc", "bash"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "in-chunks"])
def test_asked_by(program: str, name: str, tmp_path: Path) -> None:
    with Listener() as listener:
        listener.script = [CASES[name].data("")]
        ran = verify(tmp_path, listener.url, directory_of(tmp_path / "bin", (*USUAL, program)))
    assert (ran.code, ran.err) == (CASES[name].code, "")
    told = json.loads(ran.out)
    assert told == CASES[name].told(listener.url, told["why"])


@pytest.mark.parametrize("program", ["curl", "wget", "openssl"])
def test_asked_over_tls_by(program: str, tmp_path: Path, authority: trustme.CA, trusting: dict[str, str]) -> None:
    path = directory_of(tmp_path / "bin", (*USUAL, program))
    for name, environment, code in (("127.0.0.1", trusting, 1), ("127.0.0.1", {}, 2), ("other.example", trusting, 2)):
        with TlsListener(authority.issue_cert(name)) as listener:
            listener.script = [CASES["one-field-withdrawn"].data("")]
            ran = verify(tmp_path, listener.url, path, environment)
        assert (ran.code, ran.err, len(listener.requests)) == (code, "", int(code == 1)), ran


@pytest.mark.parametrize("awk", ["mawk", "gawk", "busybox"])
@pytest.mark.parametrize("name", NAMES)
def test_compared_by(awk: str, name: str, tmp_path: Path) -> None:
    path = directory_of(tmp_path / "bin", (*(each for each in USUAL if each != "awk"), "curl"))
    found = shutil.which(awk)
    if found is None:
        missing(f"{awk} is missing")
    else:
        (tmp_path / "bin/awk").symlink_to(found)
        with Listener() as listener:
            listener.script = [CASES[name].data("")]
            ran = verify(tmp_path, listener.url, path)
        assert (ran.code, ran.err) == (CASES[name].code, "")
        told = json.loads(ran.out)
        assert told == CASES[name].told(listener.url, told["why"])


def test_without_a_program_that_can_ask(tmp_path: Path) -> None:
    ran = verify(tmp_path, "https://telemetry.example.com", directory_of(tmp_path / "bin", USUAL))
    assert (ran.code, json.loads(ran.out)["why"]) == (2, "no program here can speak TLS (curl, wget or openssl)")
