from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from collector import forgotten
from collector.cli.doctor import command
from collector.doctor import _run
from collector.doctor.case import Case, open_case
from collector.doctor.finding import Finding, Severity
from collector.forgotten import Forgotten
from collector.ingest.segment import OPEN, SEALED, segments
from collector.ingest.spool import SegmentWriter
from collector.layout import Layout
from collector.settings import Settings
from collector.store.engine import open_embedded
from collector.store.quarantine import drop, set_aside
from schemas.catalogue import SHIPPED_CATALOGUE
from schemas.policy import SHIPPED_POLICY
from tests.conftest import children, collector, running
from tests.sample_days import receive, row

if TYPE_CHECKING:
    from collections.abc import Iterator

TODAY = dt.datetime.now(dt.UTC).date()
DAYS = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a collector that ran and was stopped."""
    data = tmp_path_factory.mktemp("stopped") / "data"
    with running(data):
        pass
    return data


@pytest.fixture
def data(stopped: Path, tmp_path: Path) -> Path:
    shutil.copytree(stopped, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


@pytest.fixture
def without_engine(data: Path) -> Path:
    """The same before anything was loaded: an engine is looked at in a process of its own, which takes a while."""
    shutil.rmtree(data / "engine")
    return data


def doctor(data: Path, *options: str, **environment: str) -> dict[str, Any]:
    """What the command says, run in this process: it is asked often here."""
    result = CliRunner().invoke(command, ["--data", str(data), "--format", "json", *options], env=environment)
    assert result.stderr == ""
    found: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == bool(found["findings"])
    for one in found["findings"]:
        assert one["what"]
        assert one["todo"]
        assert "\n" not in one["what"] + one["todo"]
    return found


def said(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["what"]: (one["severity"], one["todo"]) for one in found["findings"]}


def is_said(found: dict[str, Any], severity: str, what: str, todo: str) -> bool:
    return any(what in w and severity == s and todo in t for w, (s, t) in said(found).items())


def sealed(data: Path, worker: str, day: dt.date, n: int = 1, *, seal: bool = True) -> Path:
    content = b"".join(json.dumps(row(day), default=str).encode() + b"\n" for _ in range(n))
    writer = SegmentWriter(data / "spool" / worker, seal_after_bytes=1 << 20, reserve_percent=0)
    writer.append(day, content)
    if seal:
        writer.seal()
    return next(p for p in segments(data / "spool", SEALED if seal else OPEN) if p.parent.parent.name == worker)


def make_old(path: Path, seconds: float = 7200) -> Path:
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_healthy_directory_gives_no_findings(data: Path) -> None:
    found = doctor(data)
    assert found["findings"] == []
    assert not found["serving"]
    assert set(found["disk"]["used_bytes"]) == {"spool", "quarantine", "engine", "secrets", "run"}
    assert found["disk"]["used_bytes"]["engine"] > found["disk"]["used_bytes"]["secrets"] > 0
    text = collector("doctor", "--data", str(data)).stdout
    assert text.endswith("nothing to do\n")
    assert "\x1b" not in text  # colours are for terminals
    for section in ("disk", "stuck", "permissions", "configuration", "may go"):
        assert f"{section}\n  ok  " in text


def test_every_planted_fault_is_found_with_what_to_do(data: Path) -> None:
    """Faults of a directory that nobody serves, all at once: none hides another."""
    set_aside(sealed(data, "w0", TODAY, 3), data / "quarantine", 27)
    drop(set_aside(sealed(data, "w0", TODAY), data / "quarantine", 27), TODAY)
    (given_up,) = (data / "quarantine" / "dropped").iterdir()
    given_up.write_text("content")
    make_old(sealed(data, "w0", TODAY))
    sealed(data, "w4", TODAY, seal=False)
    SegmentWriter(data / "spool" / "w9", seal_after_bytes=1, reserve_percent=0)
    temporary = make_old(shutil.copy(data / "lock", data / ".products.toml-1"))
    reason = data / "quarantine" / f"w0.{TODAY}.1f2e3d4c-000000.reason"
    reason.write_text("{}")
    make_old(reason)
    (data / "spool" / "w0" / SEALED / "notes.txt").write_text("not a segment")
    (data / "spool" / "w0" / SEALED / f"{TODAY}.1f2e3d4c-000009.ndjson").mkdir()
    (pepper,) = (data / "secrets").glob("pepper-*")
    pepper.chmod(0o640)
    (data / "secrets" / "pepper-2025Q4").write_bytes(b"short")
    data.chmod(0o755)
    found = doctor(data)
    wanted = [
        ("warning", "1 segment with 3 reports in quarantine", "collector quarantine list"),
        ("warning", "1 segment waiting for the store, the oldest for 2 hours", f"collector publish --data {data}"),
        ("warning", "1 open segment of w4, left by a collector that was killed", "recovers and loads them"),
        ("problem", "1f2e3d4c-000009.ndjson is no file that can be read", "ls -ld"),
        ("warning", "empty spool of a worker that is no longer configured, w9", f"rmdir {data}/spool/w9/open"),
        ("warning", "left over: temporary files (1)", f"rm {temporary}"),
        ("warning", "left over: reasons without their segments (1)", f"rm {reason}"),
        ("warning", "given up and not yet deleted (segments: 1)", f"truncate -s 0 {given_up}"),
        ("warning", "no segment, and not from this program", "notes.txt"),
        ("problem", f"{pepper} is open to others (mode 0640)", f"chmod 600 {pepper}"),
        ("problem", f"{data} is open to others (mode 0755)", f"chmod 700 {data}"),
        ("problem", "pepper-2025Q4 is not 32 bytes long", "restore it from a backup"),
        ("problem", "peppers: the oldest is of 2025-12-31", "start the collector on this machine"),
    ]
    for severity, what, todo in wanted:
        assert is_said(found, severity, what, todo), f"{what}: {list(said(found))}"
    # The mode of the short pepper and nothing else is said beside these.
    assert len(found["findings"]) == len(wanted) + 1
    assert "problems and" in collector("doctor", "--data", str(data), check=False).stdout


def test_advice_is_followed_and_the_doctor_has_nothing_left_to_say(without_engine: Path) -> None:
    data = without_engine
    SegmentWriter(data / "spool" / "w9", seal_after_bytes=1, reserve_percent=0)
    make_old(shutil.copy(data / "lock", data / ".products.toml-1"))
    (data / "secrets").chmod(0o750)
    found = doctor(data)
    assert len(found["findings"]) == 3
    for one in found["findings"]:
        subprocess.run(one["todo"], shell=True, check=True)
    assert doctor(data)["findings"] == []


def test_it_changes_nothing(data: Path) -> None:
    sealed(data, "w4", TODAY, seal=False)

    def state() -> dict[Path, tuple[int, bytes]]:
        files = [p for p in data.rglob("*") if p.is_file() and data / "engine" not in p.parents]
        return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in files}

    before = state()
    doctor(data)
    assert state() == before


def test_days_that_wait_and_days_ahead_of_the_clock_are_found(data: Path) -> None:
    engine = open_embedded(data / "engine")
    receive(engine, [row(TODAY - 3 * DAYS)])
    engine.close()
    found = doctor(data)
    assert is_said(found, "warning", f"over and not closed, from {TODAY - 3 * DAYS}", "collector publish --data")
    engine = open_embedded(data / "engine")
    columns = ["grain", "period", "released_on", "menu", "profile", "k", "complete", "code_version"]
    engine.insert("public.releases", columns, [["day", TODAY + DAYS, TODAY, "", "standard", 10, True, "0"]])
    engine.close()
    assert is_said(doctor(data), "problem", f"days are closed through {TODAY + DAYS}", "check the clock")


def test_request_to_forget_is_said_once_it_is_late_and_with_what_it_waits_for(without_engine: Path) -> None:
    data, why = without_engine, "ingest-2-ab12cd, which has loaded what it received through 2026-10-01"
    pseudonym = "5f0c9b4e-7a53-4a8e-9d0d-5b7b8a0f6c11"

    def asked(days_ago: int, *waits_for: str) -> None:
        on = TODAY - days_ago * DAYS
        forgotten.keep(Layout(data), Forgotten(f"forget-{days_ago}", on, (pseudonym,), TODAY, waits_for=waits_for))

    asked(1, why)
    found = doctor(data)
    assert found["findings"] == [], "a machine may have loaded past its day since midnight alone"
    assert f"request forget-1 of {TODAY - DAYS} to forget a licence is pending: {why}" in json.dumps(found)
    asked(3, why)
    asked(9)
    found = doctor(data)
    assert is_said(
        found, "problem", f"request forget-3 of {TODAY - 3 * DAYS} to forget a licence is still", "nodes forget"
    )
    assert is_said(found, "problem", f"pending after 3 days: {why}", f"collector forget --pending --data {data}")
    assert is_said(found, "problem", "pending after 9 days: nothing of it was done yet", "spool is empty")
    assert len(found["findings"]) == 2
    assert pseudonym not in json.dumps(found)
    (done,) = (one for one in forgotten.read(Layout(data)) if one.request == "forget-9")
    forgotten.keep(Layout(data), dataclasses.replace(done, is_pending=False))
    assert len(doctor(data)["findings"]) == 1


def test_configuration_and_permits_that_end_are_found(without_engine: Path, tmp_path: Path) -> None:
    data = without_engine
    policy = tmp_path / "policy.toml"
    policy.write_text(
        SHIPPED_POLICY.read_text()
        .replace("expires = 2028-11-30", f"expires = {TODAY - DAYS}", 1)
        .replace("expires = 2028-11-30", f"expires = {TODAY + 9 * DAYS}", 1)
    )
    (data / "products.toml").write_text(SHIPPED_CATALOGUE.read_text().split("[products.nginx]")[0])
    found = doctor(data, "--policy", str(policy))
    assert is_said(found, "problem", f"expired on {TODAY - DAYS}", f"write the new date in {policy}")
    assert is_said(found, "warning", f"expires on {TODAY + 9 * DAYS}, in 9 days", f"write the new date in {policy}")
    assert is_said(found, "problem", "product wordpress: stands in", "collector check")


def certificate(directory: Path, days: str) -> list[str]:
    """Options that name a certificate of its own key, valid for `days` from now on."""
    if shutil.which("openssl") is None:
        assert not os.environ.get("REQUIRE_ALL"), "openssl is missing"
        pytest.skip("openssl is missing")
    key, request, chain = (directory / f"{days}.{end}" for end in ("key", "csr", "crt"))
    elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    asking = ["openssl", "req", *elliptic, "-subj", "/CN=x", "-keyout", key, "-out", request]
    signing = ["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", days, "-out", chain]
    for openssl in (asking, signing):
        subprocess.run(openssl, check=True, capture_output=True)
    key.chmod(0o600)
    return ["--tls-certificate", str(chain), "--tls-key", str(key)]


def test_certificate_that_ends_is_found_before_and_after(without_engine: Path, tmp_path: Path) -> None:
    data = without_engine
    assert doctor(data, *certificate(tmp_path, "60"))["findings"] == []
    assert is_said(
        doctor(data, *certificate(tmp_path, "5")), "warning", "5.crt expires on", "renew it, then send SIGHUP"
    )
    expired = certificate(tmp_path, "-1")
    assert is_said(doctor(data, *expired), "problem", "-1.crt has expired", "renew it, then send SIGHUP")
    foreign = [*expired[:2], "--tls-key", str(tmp_path / "60.key")]
    assert is_said(doctor(data, *foreign), "problem", "cannot be used together", "mend it")


def test_space_near_and_below_the_reserve_is_found(without_engine: Path) -> None:
    disk = os.statvfs(without_engine)
    free_percent = 100 * disk.f_bavail / disk.f_blocks
    near = doctor(without_engine, "--reserve-percent", str(min(50, free_percent * 0.75)))
    assert is_said(near, "warning", "soon reports will be refused", "free space on it")
    if free_percent < 45:  # the largest reserve that may be set is 50
        below = doctor(without_engine, "--reserve-percent", str(free_percent + 4))
        assert is_said(below, "problem", "reports are refused with 507", "free space on it")


def test_full_spool_is_found(without_engine: Path) -> None:
    segment = without_engine / "spool" / "w0" / SEALED / f"{TODAY}.1f2e3d4c-000001.ndjson"
    segment.write_bytes(b"x" * 1_500_000)
    found = doctor(without_engine, COLLECTOR_MAX_SPOOL_BYTES="1048576")
    assert is_said(found, "problem", "max_spool_bytes is 1.0 MB", "keeps the store from loading")


def test_check_that_fails_is_said_without_its_text_and_hides_no_other(without_engine: Path) -> None:
    def failing(_: Case) -> Iterator[Finding]:
        yield Finding.ok("found before")
        raise ValueError("canary")

    case = open_case(Settings(data=without_engine), dt.datetime.now(dt.UTC))
    before, said_of_it = _run(failing, case)
    assert before.what == "found before"
    assert said_of_it.severity is Severity.PROBLEM
    assert "ValueError" in said_of_it.what
    assert "canary" not in said_of_it.what + said_of_it.todo


def test_engine_that_does_not_open_is_found(data: Path) -> None:
    for file in (data / "engine" / "metadata").glob("*.sql"):
        file.write_text("garbage")
    found = doctor(data)
    assert is_said(found, "problem", "the engine does not open", "restore it from a backup")
    assert found["sections"]["disk"][0]["severity"] == "ok"


@pytest.mark.parametrize("part", ["spool", "quarantine", "secrets", "engine", "run", "lock", "products.toml"])
def test_damaged_directory_makes_no_traceback(data: Path, part: str) -> None:
    """A file where a directory should be, and the other way round."""
    if part != "engine":
        shutil.rmtree(data / "engine")
    path = data / part
    if path.is_dir():
        shutil.rmtree(path)
        path.write_bytes(b"\xff")
    else:
        path.unlink(missing_ok=True)
        path.mkdir()
    result = CliRunner().invoke(command, ["--data", str(data)])
    assert result.exit_code in {0, 1}
    assert result.stderr == ""
    assert "may go\n" in result.stdout


def test_user_who_may_not_read_the_directory_is_told(without_engine: Path) -> None:
    program = (
        "import os, sys; from collector.cli.doctor import command; import collector.doctor, rich\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"  # root may read whatever the mode says
        "command(['--data', sys.argv[1]])"
    )
    without_engine.chmod(0)
    try:
        arguments = [sys.executable, "-c", program, without_engine]
        result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    finally:
        without_engine.chmod(0o700)
    assert result.returncode == 1
    assert result.stderr == ""
    assert "cannot be read by this user" in result.stdout
    assert "run this as the user that runs `collector serve`" in result.stdout


def test_directory_that_is_none_is_said(tmp_path: Path) -> None:
    found = doctor(tmp_path / "nothing")
    assert is_said(found, "problem", "is not there or is no directory", "--data")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "file").write_text("")
    assert doctor(tmp_path / "file")["findings"]
    (tmp_path / "empty").mkdir(mode=0o700)
    assert is_said(doctor(tmp_path / "empty"), "problem", "holds no collector data", "`collector serve` makes some")


def test_beside_a_running_server_its_settings_count_and_what_is_stuck_is_found(data: Path) -> None:
    with running(data, "--workers", "2") as server:
        found = doctor(data)
        assert found["serving"]
        assert found["findings"] == []  # the spool of w1 is in use, though one worker is the default
        lonely = make_old(sealed(data, "w7", TODAY, seal=False), 600)
        set_aside(sealed(data, "w8", TODAY), data / "quarantine", 27)
        found = doctor(data)
        assert is_said(found, "problem", "1 open segment of w7 has no living worker", "restart `collector serve`")
        assert is_said(found, "warning", "in quarantine", "quarantine list")
        lonely.unlink()
        by_hand = data / "products.toml"
        by_hand.write_text(
            '[products.acme]\ntitle = "A"\npolicy = "vendor-privacy-policy"\nreport = "image-boot"\n'
            'sources = ["vm"]\nversion_line_parts = 2\n'
        )
        by_hand.chmod(0o600)
        assert is_said(doctor(data), "warning", "works with an earlier policy, catalogue or menu", "send SIGHUP")
        assert "has not taken all of this up" in collector("products", "list", "--data", str(data)).stderr
        stores = [pid for pid in children(server.process.pid) if b"storekeeper" in command_line(pid)]
        assert len(stores) == 1
        os.kill(stores[0], signal.SIGSTOP)
        try:
            hanging = doctor(data)
        finally:
            os.kill(stores[0], signal.SIGCONT)
        assert is_said(hanging, "problem", "its store does not answer: no answer within", "log says why")
        server.wait_until_loaded()
        (data / "run" / "control.sock").rename(data / "run" / "gone.sock")
        missing = doctor(data)
        (data / "run" / "gone.sock").rename(data / "run" / "control.sock")
        assert is_said(missing, "problem", "its store does not answer: there is no control socket", "restart it")


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_socket_that_somebody_left_is_no_running_collector(without_engine: Path) -> None:
    data = without_engine
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(data / "run" / "control.sock"))
    left.close()
    (data / "run" / "control.sock").chmod(0o600)
    found = doctor(data)
    assert not found["serving"]
    assert found["findings"] == []
