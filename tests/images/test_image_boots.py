"""What a real boot of systemd notices of the client: one report, or none, and nothing else."""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
from typing import TYPE_CHECKING

import pytest

from tests.images.booting import RETRY, SEND, Boot, boot

if TYPE_CHECKING:
    from tests.images.conftest import MakeTree
    from tests.images.debian_tree import Tree
    from tests.images.network import Network

ALL = os.environ.get("IMAGES") == "all"
CLIENTS = ("python", "shell")
# What one client shows about the units, the other shows about itself; it runs with IMAGES=all.
both = pytest.mark.parametrize("client", CLIENTS)
one = pytest.mark.parametrize("client", CLIENTS if ALL else ("shell",))


def outbox(tree: Tree) -> list[str]:
    return sorted(file.name for file in (tree.path / "var/lib/telemetry-client/outbox").glob("*.json"))


def drop_in(tree: Tree, *lines: str) -> None:
    tree.write("/etc/systemd/system/telemetry-client.service.d/test.conf", "\n".join(["[Service]", *lines, ""]))


@both
def test_every_boot_sends_one_report_and_never_before_the_notice(
    client: str, make_tree: MakeTree, network: Network
) -> None:
    tree = make_tree(client)
    bodies = []
    for number in range(2):
        with network.collector():
            booted = boot(tree, network.name, SEND)
        assert booted.is_undisturbed, booted
        # Started twice in one boot, one report.
        (request,) = network.received()
        bodies.append(json.loads(request["body"]))
        assert ("this image reports its product" in booted.journal) == (number == 0)
    for body in bodies:
        del body["report_id"]
        assert body == {
            "source": "container",
            "product": "wordpress",
            "product_version": "6.4.2-0",
            "os_version": "debian-12",
            "language": "und",
        }
    assert outbox(tree) == []


OFF = {
    "user-data": ("/var/lib/cloud/instance/user-data.txt", "#!/bin/sh\napt-get update\n  telemetry=off\r\n"),
    "administrator": ("/etc/telemetry-client/config", "telemetry = off\n"),
    "stored": ("/var/lib/telemetry-client/consent", "choice = off\nchosen_at = 1700000000\n"),
    "unit": ("/etc/systemd/system/telemetry-client.service.d/off.conf", "[Service]\nEnvironment=TELEMETRY=off\n"),
}


@one
@pytest.mark.parametrize("where", OFF)
def test_an_off_in_any_place_means_no_connection(
    where: str, client: str, make_tree: MakeTree, network: Network
) -> None:
    tree = make_tree(client)
    tree.write(*OFF[where])
    with network.collector():
        booted = boot(tree, network.name)
    assert network.received() == []
    assert booted.is_undisturbed, booted
    assert "nothing was sent" in booted.journal
    if where == "user-data":
        assert "telemetry = off" in tree.read("/etc/telemetry-client/config")


@one
def test_an_off_of_user_data_holds_where_etc_cannot_be_written(
    client: str, make_tree: MakeTree, network: Network
) -> None:
    tree = make_tree(client)
    tree.write(*OFF["user-data"])
    (tree.path / "etc/telemetry-client/config").mkdir()
    # Without the helper's mark the client would refuse too, because of the directory: it is not even started.
    with network.collector():
        booted = boot(tree, network.name)
    assert network.received() == []
    assert booted.is_undisturbed, booted
    assert "ConditionResult=no" in booted.sender
    assert "this holds for this boot" in booted.journal


def test_user_data_that_is_not_heard_in_time_lets_nothing_through(make_tree: MakeTree, network: Network) -> None:
    tree = make_tree("shell")
    tree.write(*OFF["user-data"])
    tree.write("/hangs/head", "#!/bin/sh\nexec sleep 60\n", 0o755)
    unit = "/usr/lib/systemd/system/telemetry-client-user-data.service"
    shortened = tree.read(unit).replace("timeout -k 2 8", "timeout -k 0.5 0.5")
    assert shortened != tree.read(unit)
    tree.write(unit, shortened.replace("[Service]\n", "[Service]\nEnvironment=PATH=/hangs:/usr/bin:/bin\n"))
    with network.collector():
        booted = boot(tree, network.name)
    assert network.received() == []
    assert "ConditionResult=no" in booted.sender
    assert booted.is_undisturbed, booted


BAD_SERVERS = {
    "dead": ("", ""),
    "refusing": ("refuse", "good"),
    "redirecting": ("redirect", "good"),
    "certificate of another": ("accept", "other_name"),
    "certificate of nobody": ("accept", "unknown"),
    "hanging": ("hang", "good"),
    **({"slow": ("slow", "good"), "mute": ("mute", "good")} if ALL else {}),
}


@pytest.mark.parametrize(
    ("client", "server"),
    [(client, server) for client in CLIENTS for server in BAD_SERVERS if ALL or client == "shell" or server == "dead"],
)
def test_a_bad_server_changes_nothing_and_leaves_nothing_that_runs(
    server: str, client: str, make_tree: MakeTree, network: Network
) -> None:
    tree = make_tree(client)
    behaviour, certificate = BAD_SERVERS[server]
    if not ALL:
        unit = "/usr/lib/systemd/system/telemetry-client.service"
        tree.write(unit, tree.read(unit).replace("telemetry-client send", "telemetry-client send --timeout 2"))
    if behaviour:
        with network.collector(behaviour, certificate):
            booted = boot(tree, network.name)
    else:
        booted = boot(tree, network.name)
    assert booted.is_undisturbed, booted
    assert "Result=success" in booted.sender
    assert {request["port"] for request in network.received()} <= {443}
    assert len(outbox(tree)) == 1


@one
def test_what_waits_is_sent_by_the_hourly_unit_which_otherwise_does_not_start(
    client: str, make_tree: MakeTree, network: Network
) -> None:
    tree = make_tree(client)
    retry = f"{RETRY} systemctl show -p ConditionResult telemetry-client-retry.service"
    assert (
        "ConditionResult=yes" in boot(tree, network.name, f"rm -f /var/lib/telemetry-client/not-before; {retry}").more
    )
    waiting = outbox(tree)
    (tree.path / "var/lib/telemetry-client/not-before").unlink(missing_ok=True)
    (tree.path / "etc/systemd/system/timers.target.wants/telemetry-client.timer").unlink()
    with network.collector():
        booted = boot(tree, network.name, retry, waits=False)
    assert "ConditionResult=yes" in booted.more
    sent = [json.loads(request["body"])["report_id"] for request in network.received()]
    assert [name for name in waiting if not any(report_id in name for report_id in sent)] == []
    assert "ConditionResult=no" in boot(tree, network.name, retry, waits=False).more


@one
def test_a_sealed_image_sends_nothing_before_its_next_boot(client: str, make_tree: MakeTree, network: Network) -> None:
    tree = make_tree(client)
    tree.write("/etc/systemd/system/telemetry-client.timer.d/test.conf", "")
    with network.collector():
        script = f"telemetry-client seal; {SEND} journalctl --boot -o cat --no-pager; telemetry-client status"
        sealed = boot(tree, network.name, script, waits=False)
        assert network.received() == [], sealed.more
        assert "sealed" in sealed.more
        booted = boot(tree, network.name, SEND, waits=False)
    assert len(network.received()) == 1, booted


CLIENTS_GONE_WRONG = {
    "hangs and ignores signals": "#!/bin/sh\ntrap '' TERM INT HUP\nsleep 1000 & sleep 1000\n",
    "fails": "#!/bin/sh\nexit 3\n",
    "is killed": "#!/bin/sh\nkill -9 $$\n",
    "is no program": "",
}


@pytest.mark.parametrize("what", CLIENTS_GONE_WRONG)
def test_a_client_gone_wrong_is_no_failed_unit(what: str, make_tree: MakeTree, network: Network) -> None:
    tree = make_tree("python")
    tree.write("/usr/bin/telemetry-client", CLIENTS_GONE_WRONG[what], 0o755)
    unit = tree.read("/usr/lib/systemd/system/telemetry-client.service")
    shortened = unit.replace("timeout -k 5 45", "timeout -k 0.5 0.5")
    assert shortened != unit
    tree.write("/usr/lib/systemd/system/telemetry-client.service", shortened)
    assert boot(tree, network.name).is_undisturbed


@one
def test_removed_it_leaves_nothing_behind_that_runs(client: str, make_tree: MakeTree, network: Network) -> None:
    tree = make_tree(client)
    tree.install("--remove")
    left = [file for file in tree.upper.rglob("*telemetry-client*") if file.is_symlink() or file.is_file()]
    assert left == []
    with network.collector():
        booted = boot(tree, network.name, "systemctl list-units --all 'telemetry*' --no-legend", waits=False)
    assert network.received() == []
    assert "loaded" not in booted.more


def userspace_ms(booted: Boot) -> float:
    found = re.search(r"finished in (?:([0-9.]+)s|([0-9]+)ms)", booted.time)
    assert found, booted.time
    return float(found[1]) * 1000 if found[1] else float(found[2])


def test_boot_times_with_and_without_are_printed(
    make_tree: MakeTree, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    trees = {"without": make_tree(), **{client: make_tree(client) for client in CLIENTS}}
    times: dict[str, list[float]] = {name: [] for name in trees}
    with network.collector():
        for _round in range(9 if ALL else 2):
            for name, tree in trees.items():
                times[name].append(userspace_ms(boot(tree, network.name, waits=name != "without")))
    network.received()
    lines = ["", "boot, ms until nothing is left to start: median (lowest to highest)"]
    for name, found in times.items():
        lines.append(f"  {name:8} {statistics.median(found):5.0f}   ({min(found):.0f} to {max(found):.0f})")
    with capsys.disabled():
        sys.stdout.write("\n".join([*lines, ""]))
