"""A disk that is really full: 507 with Retry-After, nothing acknowledged is lost, and it is over when space is back.

The disk is a small file system. Nothing is restarted in between: recovery is the server's own.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from schemas.examples import examples
from schemas.outcomes import Outcome
from schemas.reports import REPORTS
from tests.conftest import Server, running
from tests.crash.end_state import end_state
from tests.crash.small_disk import fill, run_where_mounting_is_allowed, small_disk

JSON = "application/json"
SPOOL_MEGABYTES = 4
DATA_MEGABYTES = 128


@dataclass
class Sender:
    """Sends batches and keeps the ids that were acknowledged and those that were not."""

    server: Server
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def send(self, reports: int = 20) -> int:
        """Sends one batch; its status."""
        ids = [str(uuid.uuid4()) for _ in range(reports)]
        lines = [
            json.dumps({"report_id": one, "source": "vm", "product": "redis", "product_version": "7.4.1"}).encode()
            for one in ids
        ]
        request = urllib.request.Request(
            f"{self.server.ingest}/v1/reports/image-boot/1", b"\n".join(lines), {"Content-Type": "application/x-ndjson"}
        )
        with answer_to(request) as response:
            outcomes = {json.loads(line)["outcome"] for line in response}
            assert (response.status, outcomes) in ((202, {"accepted"}), (507, {"spool_full"}))
            assert response.status == 202 or int(response.headers["Retry-After"]) > 0
            (self.acknowledged if response.status == 202 else self.refused).update(ids)
            return response.status


def answer_to(request: str | urllib.request.Request) -> http.client.HTTPResponse | urllib.error.HTTPError:
    try:
        return urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        return error


def readiness(server: Server) -> tuple[int, str]:
    """The status of /readyz and what it says of the spool."""
    with answer_to(f"{server.ingest}/readyz") as response:
        return response.status, json.load(response)["spool"]


def wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + 20
    while readiness(server) != (200, "ok"):
        assert time.monotonic() < deadline, f"is still not ready: {readiness(server)}"
        time.sleep(0.1)


def is_over_by_itself(sender: Sender, disk: Path, *, but_bytes: int = 0) -> None:
    """Space comes back: first readiness, without any report; then reports are taken, and all are loaded."""
    deadline = time.monotonic() + 20
    while readiness(sender.server) != (503, "spool_full"):
        assert time.monotonic() < deadline, "a full disk is not said to be full"
        fill(disk, but_bytes=but_bytes)  # an engine on the same disk gives space back when it merges
        sender.send()
    (disk / "ballast").unlink()
    wait_until_ready(sender.server)
    assert sender.send() == 202
    sender.server.wait_until_loaded()


def under_the_reserve(directory: Path) -> None:
    data = directory / "data"
    with small_disk(data / "spool", SPOOL_MEGABYTES), running(data, "--reserve-percent", "10") as server:
        sender = Sender(server)
        assert sender.send() == 202
        few = SPOOL_MEGABYTES * (1 << 20) // 20
        fill(data / "spool", but_bytes=few)
        assert [sender.send() for _ in range(5)] == [507] * 5
        is_over_by_itself(sender, data / "spool", but_bytes=few)
        assert server.stop() == 0
        everything_acknowledged_and_nothing_refused_is_stored(sender, data)


def no_space_left(directory: Path) -> None:
    """Without a reserve the kernel itself refuses: a part of a batch is written, and has to go again."""
    data = directory / "data"
    with small_disk(data / "spool", SPOOL_MEGABYTES):
        options = ["--reserve-percent", "0", "--seal-after-seconds", "300"]
        with running(data, *options) as server:
            sender = Sender(server)
            assert sender.send() == 202  # its segment stays open: it is the one that is cut
            ballast = fill(data / "spool", but_bytes=3 * 4096)
            assert sender.send(200) == 507
            assert sender.send(10) == 202  # what was written of the batch before is gone: there is room
            assert [sender.send(200) for _ in range(5)] == [507] * 5
            assert readiness(server) == (503, "spool_full")
            ballast.unlink()
            wait_until_ready(server)
            assert sender.send(200) == 202
            assert server.stop() == 0
        everything_acknowledged_and_nothing_refused_is_stored(sender, data)


def whole_data_directory(directory: Path) -> None:
    """Spool, engine and metrics on one full disk: a segment that the engine has no room for is no bad segment."""
    data = directory / "data"
    with small_disk(data, DATA_MEGABYTES):
        with running(data, "--reserve-percent", "10") as server:
            sender = Sender(server)
            assert sender.send() == 202
            deadline = time.monotonic() + 20
            while not server.metric("telemetry_load_failures_total"):
                fill(data, but_bytes=0)  # again and again: the engine gives space back when it merges
                assert sender.send() == 507
                assert time.monotonic() < deadline, "the engine never met the full disk"
                time.sleep(0.1)
            is_over_by_itself(sender, data)
            assert server.stop() == 0
        everything_acknowledged_and_nothing_refused_is_stored(sender, data)


def nothing_left_for_anybody(directory: Path) -> None:
    """Not a byte and no reserve: no process may die of it, and each answer says so."""
    data = directory / "data"
    with small_disk(data, DATA_MEGABYTES), running(data, "--reserve-percent", "0", "--workers", "2") as server:
        sender = Sender(server)
        assert sender.send() == 202
        for _ in range(5):
            fill(data, but_bytes=0)
            while sender.send() == 202:  # the engine gives space back when it merges
                fill(data, but_bytes=0)
            # Outcomes that were never counted before need room in the files of the metrics.
            bad = [(REPORTS[e.report].path, e.body, JSON) for e in examples() if e.outcome is not Outcome.ACCEPTED]
            for report in REPORTS.values():
                bad += [(report.path, b"a", "text/plain"), (report.path, b" " * 70_000, JSON)]
                bad += [(f"{report.path}?a=1", b"{}", JSON), (f"{report.path}1", b"{}", JSON), ("/a", b"{}", JSON)]
            for path, body, kind in bad:
                with answer_to(urllib.request.Request(server.ingest + path, body, {"Content-Type": kind})) as response:
                    assert 400 <= response.status < 500
        is_over_by_itself(sender, data)
        assert server.stop() == 0
        assert "process_ended" not in server.log.read_text(), "a process crashed"


def everything_acknowledged_and_nothing_refused_is_stored(sender: Sender, data: Path) -> None:
    state = end_state(data)
    assert sorted(state.stored) == sorted(sender.acknowledged)
    assert sorted(state.counted) == sorted(sender.acknowledged)
    assert (state.backlog.waiting, state.backlog.quarantined) == (0, 0)
    assert sender.refused
    assert "process_ended" not in sender.server.log.read_text(), "a process crashed"


def test_spool_under_the_reserve_refuses_and_recovers(tmp_path: Path) -> None:
    run_where_mounting_is_allowed(under_the_reserve, tmp_path)


def test_spool_without_any_space_refuses_and_recovers(tmp_path: Path) -> None:
    run_where_mounting_is_allowed(no_space_left, tmp_path)


def test_disk_without_a_byte_left_costs_no_process(tmp_path: Path) -> None:
    run_where_mounting_is_allowed(nothing_left_for_anybody, tmp_path)


def test_whole_data_directory_on_a_full_disk_recovers(tmp_path: Path) -> None:
    run_where_mounting_is_allowed(whole_data_directory, tmp_path)
