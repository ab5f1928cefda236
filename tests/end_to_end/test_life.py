"""From a machine to a number: real client, real server, real disk, and the ways in which processes die."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import aiohttp
import pytest

from collector.configuration import read_configuration
from collector.ingest.spool import SegmentWriter
from collector.layout import layout
from collector.settings import Settings
from collector.store.engine import open_embedded
from collector.storeroom import open_store
from tests.conftest import BIN, Server, children, collector, running, start_server
from tests.machine_choice import skip_where_the_machine_says_off
from tests.sample_days import row

BOOT = "/v1/reports/image-boot/1"


def client(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TELEMETRY_STATE_DIR": str(home / "state")}
    return subprocess.run(
        [BIN / "telemetry-client", *arguments], capture_output=True, text=True, env=environment, check=False
    )


def send_with_client(home: Path, server: Server, version: str) -> str:
    product = ["--product", "wordpress", "--product-version", version, "--source", "vm"]
    return client(home, "send", "--url", server.ingest, *product).stdout


def test_real_report_becomes_a_published_number(tmp_path: Path) -> None:
    """Client -> server -> store -> publish -> usage; the day is closed as tomorrow would close it."""
    skip_where_the_machine_says_off()
    with running(tmp_path / "data") as server:
        assert "accepted" not in send_with_client(tmp_path, server, "6.4.2-0")  # nobody said yes
        assert client(tmp_path, "on").returncode == 0
        assert "accepted" in send_with_client(tmp_path, server, "6.4.2-0")
        bodies = [{"source": "vm", "product": "wordpress", "product_version": f"6.4.{n % 2}-0"} for n in range(299)]
        asyncio.run(post_all(server.ingest, bodies))
        assert server.wait_until_loaded()["loaded"] == 300
        assert server.stop() == 0
    today = dt.datetime.now(dt.UTC).date()
    settings = Settings(data=tmp_path / "data")
    with open_store(settings, layout(settings), read_configuration(settings)) as room:
        days = [str(day) for day in room.publisher.due(today)]
        assert str(today) in days
        room.publisher.publish(today + dt.timedelta(days=1), today)
    answer = collector(
        "usage", "--data", str(tmp_path / "data"), "--product", "wordpress", "--grain", "day", "--format", "json"
    )
    (cell,) = json.loads(answer.stdout)["cells"]
    assert abs(cell["value"] - 300) <= 40
    by_version = collector("usage", "--data", str(tmp_path / "data"), "--by", "product_version", "--grain", "day")
    assert "6.4.0-0" in by_version.stdout
    assert "6.4.2-0" not in by_version.stdout  # one machine is never shown


def test_client_version_that_must_stop_stops_for_good(tmp_path: Path) -> None:
    skip_where_the_machine_says_off()
    assert client(tmp_path, "on").returncode == 0
    with running(tmp_path / "data", "--stopped-clients", "1") as server:
        assert "stop" in send_with_client(tmp_path, server, "6.4.2-0")
        before = server.metric("telemetry_received_total")
        assert before == 1
        assert "stop" in send_with_client(tmp_path, server, "6.4.2-0")
        assert server.metric("telemetry_received_total") == before  # it does not even ask any more
        assert server.metric('telemetry_reports_total{outcome="client_stopped"') == 1


async def post_all(url: str, bodies: list[dict[str, str]]) -> list[str]:
    """Posts bodies with ids of their own over a few connections; the ids that were acknowledged."""
    acknowledged: list[str] = []
    waiting = iter(bodies)

    async def post(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            known = body | {"report_id": str(uuid.uuid4())}
            try:
                async with session.post(url + BOOT, json=known) as response:
                    if response.status == 202:
                        acknowledged.append(known["report_id"])
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.02)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(post(session) for _ in range(16)))
    return acknowledged


def stored_ids(data: Path) -> list[str]:
    engine = open_embedded(data / "engine")
    ids = [str(i) for (i,) in engine.rows("SELECT report_id FROM private.reports FINAL")]
    engine.close()
    return ids


@pytest.mark.parametrize("everything", [False, True], ids=["supervisor", "all processes"])
def test_killed_in_the_middle_of_a_load_nothing_acknowledged_is_lost_or_doubled(
    tmp_path: Path, everything: bool
) -> None:
    data = tmp_path / "data"
    server = start_server(data)
    bodies = [{"source": "cloud", "product": "nginx", "product_version": "1.27.3"} for _ in range(9000)]

    async def load_and_kill() -> list[str]:
        loading = asyncio.create_task(post_all(server.ingest, bodies[:6000]))
        while server.metric('telemetry_reports_total{outcome="accepted"') < 1500:
            await asyncio.sleep(0.05)
        if everything:
            server.kill_everything()
        else:
            server.process.kill()
        return await loading

    before = asyncio.run(load_and_kill())
    server.process.wait(timeout=10)
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert 1500 <= len(before) < 6000
    with running(data) as again:
        after = asyncio.run(post_all(again.ingest, bodies[: 5000 - len(before)]))
        acknowledged = {*before, *after}
        assert len(acknowledged) == 5000
        again.wait_until_loaded()
    ids = stored_ids(data)
    assert len(ids) == len(set(ids))
    assert acknowledged <= set(ids)


def test_crashed_child_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        bodies = [{"source": "vm", "product": "redis", "product_version": "7.4.1"}] * 50
        first = asyncio.run(post_all(server.ingest, bodies))
        for pid in children(server.process.pid):
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        second: list[str] = []
        while len(second) < 50 and time.monotonic() < deadline:
            second += asyncio.run(post_all(server.ingest, bodies[: 50 - len(second)]))
        while time.monotonic() < deadline:
            try:
                server.wait_until_loaded()
                break
            except (pytest.fail.Exception, json.JSONDecodeError):
                time.sleep(0.5)
    assert len(first) == len(second) == 50
    assert {*first, *second} <= set(stored_ids(tmp_path / "data"))


def test_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    ports = ["--ingest-port", "0", "--reports-port", "0", "--metrics-port", "0"]
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [BIN / "collector", "serve", "--data", tmp_path / "data", *ports],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
        )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    bodies = [{"source": "vm", "product": "redis", "product_version": "7.4.1"}] * 20
    try:
        for pid in children(process.pid):
            os.kill(pid, signal.SIGKILL)
        assert len(asyncio.run(post_all(lines[0].split()[-1], bodies))) >= 19  # one may meet the dying worker
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        process.stdout.close()


def test_two_workers_share_the_port_and_both_spools_are_loaded(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--workers", "2") as server:
        assert len(children(server.process.pid)) == 3
        sent = asyncio.run(
            post_all(server.ingest, [{"source": "vm", "product": "redis", "product_version": "7.4.1"}] * 500)
        )
        assert len(sent) == 500
        assert server.wait_until_loaded()["loaded"] == 500
    with running(tmp_path / "data") as server:  # one worker less: its spool is sealed all the same
        assert server.wait_until_loaded()["loaded"] == 500


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_is_clean_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    server = start_server(tmp_path / "data")
    pids = children(server.process.pid)
    asyncio.run(post_all(server.ingest, [{"source": "vm", "product": "redis", "product_version": "7.4.1"}] * 20))
    server.process.send_signal(number)
    assert server.process.wait(timeout=15) == 0
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not (tmp_path / "data" / "run" / "control.sock").exists()
    state = json.loads(collector("status", "--data", str(tmp_path / "data"), "--format", "json").stdout)
    assert (state["loaded"], state["waiting"], state["serving"]) == (20, 0, False)
    assert "Traceback" not in server.log.read_text()


def test_second_server_on_the_directory_or_the_port_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        same = collector("serve", "--data", str(tmp_path / "data"), check=False)
        assert same.returncode == 2
        assert "is in use by another collector process" in same.stderr
        port = server.ingest.rsplit(":", 1)[1]
        other = collector("serve", "--data", str(tmp_path / "other"), "--ingest-port", port, check=False)
        assert other.returncode == 2
        assert f"127.0.0.1:{port} cannot be used" in other.stderr
        assert server.status()["serving"]


def test_without_the_embedded_engine_it_says_so_and_takes_no_reports(tmp_path: Path) -> None:
    absent = tmp_path / "chdb"
    absent.mkdir()
    (absent / "__init__.py").write_text("raise ImportError")
    ports = ["--ingest-port", "0", "--reports-port", "0", "--metrics-port", "0"]
    refused = collector("serve", "--data", str(tmp_path / "data"), *ports, check=False, PYTHONPATH=str(tmp_path))
    assert refused.returncode == 2
    assert "the embedded engine is not installed: give store_url" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_commands_beside_a_running_server(tmp_path: Path) -> None:
    with running(tmp_path / "data"):
        data = str(tmp_path / "data")
        published = json.loads(collector("publish", "--data", data, "--format", "json").stdout)
        assert published == {"released": [], "waiting": []}
        strict = collector("publish", "--data", data, "--profile", "strict", check=False)
        assert "publishes with its own settings; leave out --profile" in strict.stderr
        asked = collector("usage", "--data", data, check=False)
        assert "nothing is released yet" in asked.stderr
        today = dt.datetime.now(dt.UTC).date()
        early = collector("publish", "--data", data, "--through", str(today), check=False)
        assert "is not over yet" in early.stderr
        other = collector("simulate", "--data", data, check=False)
        assert other.returncode == 2
        assert "already holds reports" in other.stderr


def spool(data: Path, worker: str, day: dt.date, n: int, *, seal_after_bytes: int = 1 << 20) -> None:
    """Leaves `n` rows in a worker's spool, as a worker that is gone would; open unless they fill a segment."""
    rows = b"".join(json.dumps(row(day), default=str).encode() + b"\n" for _ in range(n))
    SegmentWriter(data / "spool" / worker, seal_after_bytes=seal_after_bytes, reserve_percent=0).append(day, rows)


def test_server_publishes_by_itself_what_is_due(tmp_path: Path) -> None:
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2)
    data = tmp_path / "data"
    spool(data, "w0", day, 500)
    with running(data, "--new-values-per-day", "1000") as server:
        deadline = time.monotonic() + 30
        while (server.status()["last_closed"] or "") < str(day):
            assert time.monotonic() < deadline
            time.sleep(0.3)
        options = ["--product", "wordpress", "--grain", "day", "--from", str(day), "--format", "json"]
        (cell,) = json.loads(collector("usage", "--data", str(data), *options).stdout)["cells"]
        assert (cell["period"], cell["error"]) == (str(day), 10)
        assert abs(cell["value"] - 500) <= 50
        with server.ask(f"/v1/usage?product=wordpress&grain=day&from={day}") as response:
            assert json.load(response)["cells"] == [cell]
        published_value_never_counts_as_a_new_one(server)


def published_value_never_counts_as_a_new_one(server: Server) -> None:
    """Flooded with new versions, the next one becomes `other`; the published one stays."""
    published = row()["product_version"]
    deadline = time.monotonic() + 30
    known = server.data / "known-values.json"
    while published not in (known.read_text() if known.exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1.5)  # the worker looks at the file twice a second
    body = {"source": "vm", "product": "wordpress"}
    assert asyncio.run(post_all(server.ingest, [body | {"product_version": f"9.{n}.0"} for n in range(2500)]))
    time.sleep(1.5)  # and at what came
    for version in ("9.0.1", published):
        assert asyncio.run(post_all(server.ingest, [body | {"product_version": version}]))
    server.wait_until_loaded()
    assert server.metric('telemetry_values_replaced_total{field="product_version"}') >= 1
    assert server.stop() == 0
    engine = open_embedded(server.data / "engine")
    today = dt.datetime.now(dt.UTC).date()
    stored = engine.rows(
        "SELECT product_version FROM private.reports WHERE received_on = {day:Date} ORDER BY 1", day=today
    )
    engine.close()
    found = {version for (version,) in stored}
    assert {"other", published} <= found
    assert "9.0.1" not in found


def test_asked_to_publish_a_running_server_waits_for_its_spools(tmp_path: Path) -> None:
    """Yesterday's reports are still in an open segment: publishing now would leave them out for good."""
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    data = tmp_path / "data"
    with running(data) as server:
        spool(data, "w8", yesterday, 100)  # open before the first row is loaded, so that nothing may be closed
        spool(data, "w7", yesterday, 100, seal_after_bytes=1)
        while server.status()["loaded"] < 100:
            time.sleep(0.1)
        answer = collector("publish", "--data", str(data))
        assert f"still open: {yesterday}" in answer.stdout
        assert "released" not in answer.stdout


def test_database_of_a_newer_program_stops_the_start_with_one_clear_line(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.stop()
    engine = open_embedded(tmp_path / "data" / "engine")
    today = dt.datetime.now(dt.UTC).date()
    engine.insert("private.migrations", ["version", "name", "applied_on"], [[9999, "future", today]])
    engine.close()
    ports = ["--ingest-port", "0", "--reports-port", "0", "--metrics-port", "0"]
    result = collector("serve", "--data", str(tmp_path / "data"), "--log-format", "text", *ports, check=False)
    assert result.returncode == 2
    assert "run the newer program" in result.stderr
    assert "Traceback" not in result.stderr


def test_control_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    with running(tmp_path / "data"):
        control = tmp_path / "data" / "run" / "control.sock"
        assert control.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(control))


def test_canaries_are_nowhere_they_do_not_belong(tmp_path: Path) -> None:
    """A licence key, a rejected body and the client's address, looked for in every file and log of a run."""
    key = "CANARY-KEY-5f0c2f5a"
    with running(tmp_path / "data") as server:
        form = f"product=installbuilder&product_version=25.7.0&license_key={key}"
        for body in (form, form + "&hostname=canary-host", form.replace("25.7.0", "canary version")):
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f"{server.ingest}/v1/reports/installbuilder-run/1", body.encode()).close()
        server.wait_until_loaded()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert key.encode() not in content, path
            assert b"canary" not in content, path
    assert "127.0.0.1" not in server.log.read_text()


def test_client_runs_as_a_module_too() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "telemetry_client", "--help"], capture_output=True, text=True, check=True
    )
    assert "send" in result.stdout
