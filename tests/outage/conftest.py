"""A collector, a ClickHouse server, and between them a proxy that can fail."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clickhouse_server import ClickHouseServer
from tests.conftest import Server, running, started
from tests.outage.fault_proxy import Fault, FaultProxy
from tests.outage.fleet import Fleet, check_nothing_lost

# Quick to seal, to look and to lose patience, so that a fault is felt soon; nothing else is unusual.
QUICK = ["--seal-after-seconds", "0.3", "--load-every-seconds", "0.1", "--store-timeout-seconds", "2"]
OPTIONS = [*QUICK, "--rate-per-second", "0"]


@dataclass
class Site:
    """Everything that takes part in an outage."""

    server: Server
    store: ClickHouseServer
    proxy: FaultProxy
    fleet: Fleet

    def check(self) -> None:
        """Everything that was ever accepted is in the store, once, and nothing was refused."""
        check_nothing_lost([self.store], self.server.data, self.fleet.accepted)
        assert self.fleet.refused == []


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A small file system of its own for a server's data; None where it cannot be mounted."""
    directory = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", directory]
    mounted = False
    with contextlib.suppress(OSError):
        mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield directory if mounted else None
    if mounted:
        subprocess.run(["umount", "--lazy", directory], check=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, small_disk: Path | None) -> Iterator[ClickHouseServer]:
    """A server that the tests of a module may do anything to."""
    directory = tmp_path_factory.mktemp("store")
    with started(ClickHouseServer(directory, small_disk / "data" if small_disk else None)) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(store: ClickHouseServer) -> Iterator[FaultProxy]:
    proxy = FaultProxy(store.port)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def running_site(
    tmp_path_factory: pytest.TempPathFactory, store: ClickHouseServer, proxy: FaultProxy
) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("site") / "data"
    with running(data, *store.options(port=proxy.port), *OPTIONS) as server:
        site = Site(server, store, proxy, Fleet(server))
        site.fleet.send(40)
        site.check()
        yield site


@pytest.fixture
def site(running_site: Site) -> Iterator[Site]:
    """One collector for all tests of a module; each finds it well and leaves it well."""
    while running_site.server.metric("telemetry_store_up") != 1:
        time.sleep(0.05)
    yield running_site
    running_site.proxy.set(Fault.NONE)
    if running_site.store.process is None:
        running_site.store.start()
    running_site.store.go_on()
