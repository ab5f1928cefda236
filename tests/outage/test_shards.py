"""One of several shards is away: reports go on being accepted, and all are counted once when it is back."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.cluster import Cluster
from tests.conftest import Server, running, started
from tests.outage.conftest import OPTIONS
from tests.outage.fleet import Fleet, check_nothing_lost, events, wait_for_event

ENTRY, OTHER = 0, 1


@dataclass
class Shards:
    """A collector on two shards, and machines that report to it."""

    cluster: Cluster
    server: Server
    fleet: Fleet

    def check(self) -> None:
        check_nothing_lost(self.cluster.servers, self.server.data, self.fleet.accepted)
        assert self.fleet.refused == []

    def readiness(self) -> int:
        try:
            with urllib.request.urlopen(f"{self.server.ingest}/readyz") as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def running_shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    directory = tmp_path_factory.mktemp("shards")
    with started(Cluster(directory / "cluster", 2)) as cluster:
        options = [*cluster.options(), *OPTIONS, "--behind-after-seconds", "1"]
        with running(directory / "data", *options) as server:
            yield Shards(cluster, server, Fleet(server))


@pytest.fixture
def shards(running_shards: Shards) -> Iterator[Shards]:
    """All up when a test begins, and when it ends."""
    while running_shards.server.metric("telemetry_store_up") != 1:
        time.sleep(0.05)
    yield running_shards
    for server in running_shards.cluster.servers:
        if server.process is None:
            server.start()
        server.go_on()


def killed(shards: Shards, number: int) -> tuple[Callable[[], None], Callable[[], None]]:
    return shards.cluster.servers[number].kill, shards.cluster.servers[number].start


def hanging(shards: Shards, number: int) -> tuple[Callable[[], None], Callable[[], None]]:
    return shards.cluster.servers[number].hang, shards.cluster.servers[number].go_on


@pytest.mark.parametrize("how", [killed, hanging])
@pytest.mark.parametrize("number", [ENTRY, OTHER], ids=["entry", "other"])
def test_shard_is_gone_for_a_while(
    shards: Shards, how: Callable[[Shards, int], tuple[Callable[[], None], Callable[[], None]]], number: int
) -> None:
    begin, end = how(shards, number)
    shards.fleet.send(100)
    shards.check()
    seen, back = len(events(shards.server, "store_unreachable")), len(events(shards.server, "store_reachable"))
    begin()
    shards.fleet.send(100)
    wait_for_event(shards.server, "store_unreachable", seen)
    assert shards.server.metric("telemetry_store_up") == 0
    assert [*shards.server.data.glob("spool/*/sealed/*")], "what is not confirmed by every shard waits"
    end()
    wait_for_event(shards.server, "store_reachable", back)
    shards.check()
    assert "Traceback" not in shards.server.log.read_text()


def test_what_waits_makes_the_collector_degraded_and_not_less_ready(shards: Shards) -> None:
    begin, end = killed(shards, OTHER)
    begin()
    shards.fleet.send(20)
    deadline = time.monotonic() + 20
    while b"degraded" not in urllib.request.urlopen(f"{shards.server.ingest}/readyz").read():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert shards.readiness() == 200, "it takes reports, so no balancer may take it away"
    end()
    shards.check()


def test_entry_restarted_under_load_again_and_again(shards: Shards) -> None:
    begin, end = killed(shards, ENTRY)
    for _ in range(3):
        shards.fleet.send(200)
        begin()
        shards.fleet.send(50)
        end()
    shards.check()
