"""The reply is sent after the fdatasync: read from the system calls of a real worker under load.

A reply with 202 is one write to a connection. Every report that came on that connection since the reply before
it must stand in a write to a segment, and that segment must have been synced, successfully, between the end of
that write and the beginning of the reply.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from collector.configuration import accept, read_configuration
from collector.layout import layout
from collector.settings import Settings
from tests.conftest import PROJECT
from tests.crash import strace
from tests.crash.end_state import end_state

CALLS = (
    *("read", "readv", "recvfrom", "recvmsg", "recvmmsg"),
    *("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice"),
    *("fsync", "fdatasync", "sync_file_range", "msync"),
)
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATUS = re.compile(rb"^HTTP/1\.1 (\d{3})")


@dataclass
class Reply:
    """One answer on the wire, and the reports that it answers."""

    status: int
    ids: list[str]
    began: int


@contextlib.contextmanager
def worker(data: Path, trace: Path, *faults: str) -> Iterator[int]:
    """A real worker on `data`, traced; gives its port, and lets the worker drain and seal at the end."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        arguments = [sys.executable, "-m", "collector.worker", "serve", "0", str(listening.fileno())]
        process = subprocess.Popen(
            [*strace.command(trace, CALLS, *faults), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[listening.fileno()],
            cwd=PROJECT,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            settings = Settings(data=data, rate_per_second=0)
            accept(layout(settings), read_configuration(settings))  # as its supervisor would have
            process.stdin.write(settings.model_dump_json().encode() + b"\n")
            process.stdin.flush()
            while (word := process.stdout.readline()) != b"ready\n":
                assert word == b"alive\n"
            yield listening.getsockname()[1]
        finally:
            process.stdin.close()
            process.stdout.read()
            process.stdout.close()
            assert process.wait(timeout=20) == 0


def send(port: int, reports: int, *, batches_of: int = 0) -> Counter[int]:
    """Sends reports one after the other on one connection, or in batches; how often which status came back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    statuses: Counter[int] = Counter()
    try:
        for _ in range(reports // max(1, batches_of)):
            lines = [body() for _ in range(max(1, batches_of))]
            media_type = "application/x-ndjson" if batches_of else "application/json"
            connection.request("POST", "/v1/reports/image-boot/1", b"\n".join(lines), {"Content-Type": media_type})
            with connection.getresponse() as response:
                response.read()
                statuses[response.status] += 1
    finally:
        connection.close()
    return statuses


def body() -> bytes:
    report = {"report_id": str(uuid.uuid4()), "source": "vm", "product": "redis", "product_version": "7.4.1"}
    return json.dumps(report).encode()


def replies(calls: list[strace.Call]) -> list[Reply]:
    """The answers, in the order in which they were sent."""
    asked: dict[str, list[str]] = {}
    found = []
    for call in calls:
        if not call.succeeded or not call.descriptors or not call.descriptors[0].startswith("socket:"):
            continue
        if call.name.startswith(("read", "recv")):
            asked.setdefault(call.descriptors[0], []).extend(_ids(call))
        elif status := _STATUS.match(call.content):
            found.append(Reply(int(status[1]), asked.pop(call.descriptors[0], []), call.began))
    return found


def durable_since(calls: list[strace.Call]) -> dict[str, int]:
    """Each report that stands in a segment -> where in the trace the first sync ended that covers it."""
    covered: dict[str, int] = {}
    unsynced: dict[str, dict[str, int]] = {}
    for call in calls:
        if not call.descriptors or not call.descriptors[0].endswith(".ndjson"):
            continue
        segment = unsynced.setdefault(call.descriptors[0], {})
        if call.name.startswith(("write", "pwrite")) and call.succeeded:
            segment.update(dict.fromkeys(_ids(call), call.ended))
        elif call.name == "fdatasync" and call.succeeded:
            for report in [report for report, written in segment.items() if written < call.began]:
                del segment[report]
                covered.setdefault(report, call.ended)
    return covered


def _ids(call: strace.Call) -> list[str]:
    return [found.decode() for found in _ID.findall(call.content.replace(b"00000000-0000-0000-0000-000000000000", b""))]


def test_every_202_is_sent_after_the_sync_that_covers_its_reports(tmp_path: Path) -> None:
    with worker(tmp_path / "data", tmp_path / "trace") as port, ThreadPoolExecutor(16) as threads:
        statuses = send(port, 20)
        statuses += send(port, 300, batches_of=100)
        for some in threads.map(lambda _: send(port, 10), range(16)):
            statuses += some
        statuses += sum(threads.map(lambda _: send(port, 60, batches_of=20), range(4)), Counter())
    assert statuses == {202: 20 + 3 + 160 + 12}
    calls = strace.read(tmp_path / "trace")
    sent, durable = replies(calls), durable_since(calls)
    assert Counter(reply.status for reply in sent) == statuses
    assert sum(len(reply.ids) for reply in sent) == 20 + 300 + 160 + 240
    late = [report for reply in sent for report in reply.ids if durable.get(report, reply.began) >= reply.began]
    assert not late, f"{len(late)} reports were acknowledged before they were durable"


def test_failed_sync_is_answered_with_503_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """The third and fourth fdatasync fail: their reports are refused, later ones go to a new segment."""
    fault = ("-e", "inject=fdatasync:error=EIO:when=3..4")
    with worker(tmp_path / "data", tmp_path / "trace", *fault) as port, ThreadPoolExecutor(8) as threads:
        first = send(port, 5)
        later = sum(threads.map(lambda _: send(port, 10), range(8)), Counter())
    assert first == {202: 3, 503: 2}
    assert later == {202: 80}
    calls = strace.read(tmp_path / "trace")
    sent, durable = replies(calls), durable_since(calls)
    assert [reply.status for reply in sent[:5]] == [202, 202, 503, 503, 202]
    acknowledged = [report for reply in sent if reply.status == 202 for report in reply.ids]
    assert all(durable[report] < reply.began for reply in sent if reply.status == 202 for report in reply.ids)
    written_to = {call.descriptors[0] for call in calls if call.name == "write" and ".ndjson" in str(call.descriptors)}
    assert len(written_to) >= 3
    assert sorted(end_state(tmp_path / "data").stored) == sorted(acknowledged)
