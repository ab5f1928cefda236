"""The sender counts what a server really took, and finds what it did not."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.bench.exchange import is_whole
from tests.bench.load import Load, Mode, Sending, boots, latencies
from tests.bench.rounds import Measured, Round
from tests.bench.stages import Workload
from tests.bench.targets.bare import bare
from tests.bench.targets.target import Target
from tests.bench.wording import PATH, Requests, Wording
from tests.clickhouse_server import free_port


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with bare(tmp_path_factory.mktemp("bare")) as target:
        yield target


@pytest.mark.parametrize(("mode", "machines"), [("keep-alive", 0), ("new connection", 0), ("burst", 50)])
def test_every_answer_is_counted(floor: Target, mode: Mode, machines: int) -> None:
    load = Load(floor.host, floor.port, Wording(PATH), mode, seconds=0.2, connections=4, machines=machines)
    sent = asyncio.run(Sending(load).run())
    assert sent.failures == {}
    assert sent.statuses == {"202": sent.reports}
    assert sent.reports == machines if machines else sent.reports >= 4
    assert bool(sent.latency_ms) == bool(machines)


def test_a_status_that_nobody_expects_shows(floor: Target) -> None:
    load = Load(floor.host, floor.port, Wording("/elsewhere"), "keep-alive", seconds=0.05, connections=1)
    sent = asyncio.run(Sending(load).run())
    assert set(sent.statuses) == {"404"}
    told = Measured(Workload("any"), floor, [Round(sent, {"whole": 1.0, "handler": 1.0}, 0.5, 0.0)]).summary()
    assert told["unexpected"] == sent.statuses


def test_a_server_that_is_not_there_is_a_failure() -> None:
    load = Load("127.0.0.1", free_port(), Wording(PATH), "new connection", seconds=0.05, connections=1)
    sent = asyncio.run(Sending(load).run())
    assert (sent.reports, sent.statuses) == (0, {})
    assert sent.failures["ConnectionRefusedError"] >= 1


def test_no_two_reports_have_the_same_id() -> None:
    requests = Requests(Wording(PATH), host="here", lines=100, refused_every=0, closes=False)
    sent = [requests.next() for _ in range(5)]
    heads, bodies = zip(*(one.split(b"\r\n\r\n") for one in sent), strict=True)
    assert {f"Content-Length: {len(body)}" for body in bodies} == set(
        re.findall(r"Content-Length: \d+", heads[0].decode())
    )
    ids = {json.loads(line)["report_id"] for body in bodies for line in body.splitlines()}
    assert len(ids) == 500
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in ids)


def test_every_tenth_report_has_a_field_that_is_not_permitted() -> None:
    requests = Requests(Wording(PATH), host="here", lines=1, refused_every=10, closes=True)
    refused = [b"hostname" in requests.next() for _ in range(30)]
    assert refused == ([False] * 9 + [True]) * 3


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n", False),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{", False),
        (b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    ],
)
def test_an_answer_ends_where_its_head_says(answer: bytes, whole: bool) -> None:
    assert is_whole(answer) is whole


def test_machines_boot_all_through_the_time() -> None:
    moments = boots(1000, 10)
    assert len(moments) == 1000
    assert max(late - early for early, late in pairwise(moments)) < 0.03


def test_latencies_are_in_milliseconds() -> None:
    assert latencies([n / 1000 for n in range(1, 101)]) == pytest.approx({"p50": 51, "p99": 100, "max": 100})
    assert latencies([]) == {}
