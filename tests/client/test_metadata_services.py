"""The clouds' metadata services, on their real addresses, by the real command in namespaces of its own."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_client.metadata_services import SERVICES
from tests.client.cloud_services import ADDRESSES, CLOUDS, TOKEN
from tests.client.clouds import InCloud, what_is_missing
from tests.client.conftest import PACKAGE_PARENT
from tests.conftest import missing
from tests.machine_choice import skip_where_the_machine_says_off

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.client.conftest import Collector

    Ask = Callable[..., tuple[dict[str, Any], InCloud, float]]

FACTS = ("--source", "cloud", "--product", "wordpress", "--product-version", "6.4.2-0")
ASKED = sorted(SERVICES)
WITH_TOKEN = sorted(name for name, service in SERVICES.items() if service.token)
SILENT = ("refuse", "unreachable", "redirect", "error", "empty", "garbage", "long", "endless")


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """What `show` tells in a cloud, the cloud, and how long it took."""
    if what_is_missing():
        missing(what_is_missing())
    skip_where_the_machine_says_off()

    def show(
        cloud: str,
        mode: str = "ok",
        *,
        command: Sequence[str] = ("show", *FACTS),
        forward: Sequence[int] = (),
        **environ: str,
    ) -> tuple[dict[str, Any], InCloud, float]:
        settings = {"TELEMETRY": "on", "PYTHONPATH": str(PACKAGE_PARENT), "HOME": str(tmp_path), **environ}
        arguments = [*command, "--state-dir", str(tmp_path / "state"), "--format", "json"]
        with InCloud(cloud, mode, forward) as there:
            started = time.monotonic()
            done = there.run([sys.executable, "-m", "telemetry_client", *arguments], env=settings)
            took = time.monotonic() - started
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), there, took

    return show


def _size(told: dict[str, Any]) -> tuple[str, str]:
    found = {field["field"]: (field["value"], field["from"]) for field in told["fields"]}
    return found.get("instance_type", ("", ""))


def test_every_service_of_the_contract_is_known() -> None:
    assert set(CLOUDS) == {"none", "digitalocean", "hetzner", "vultr", *SERVICES}


@pytest.mark.parametrize("cloud", ASKED)
def test_the_service_tells_the_size(cloud: str, ask: Ask) -> None:
    told, there, _ = ask(cloud)
    assert _size(told) == (CLOUDS[cloud].instance_type, f"metadata service of {cloud}")
    methods = [(asked["to"], asked["method"]) for asked in there.requests]
    service = SERVICES[cloud]
    assert methods == [(service.address, method) for method in (["PUT", "GET"] if service.token else ["GET"])]
    names = {name for asked in there.requests for name in asked["headers"]}
    own = {name.lower() for name, _ in service.headers}
    if service.token:
        own |= {service.token.header[0].lower(), service.token.carried_by.lower(), "content-length"}
        assert there.requests[1]["headers"][service.token.carried_by.lower()] == TOKEN
    assert names == {"host", "connection"} | own


@pytest.mark.parametrize("cloud", ["none", "digitalocean", "hetzner", "vultr"])
def test_nothing_is_asked_where_no_service_tells(cloud: str, ask: Ask) -> None:
    told, there, _ = ask(cloud)
    assert _size(told) == ("", "")
    assert there.requests == []


@pytest.mark.parametrize("mode", SILENT)
def test_an_answer_that_is_none_is_not_used_and_not_asked_for_again(mode: str, ask: Ask) -> None:
    told, there, took = ask("openstack", mode)
    assert _size(told) == ("", "")
    assert len(there.requests) == (0 if mode in ("refuse", "unreachable") else 1)
    assert took < 1.5


@pytest.mark.parametrize(("cloud", "mode", "seconds"), [("gcp", "drop", 1), ("gcp", "hang", 2), ("azure", "drip", 2)])
def test_a_service_that_does_not_answer_costs_its_bound_and_no_more(
    cloud: str, mode: str, seconds: int, ask: Ask
) -> None:
    told, _, took = ask(cloud, mode)
    assert _size(told) == ("", "")
    assert seconds <= took < seconds + 1


def test_token_and_question_share_one_bound(ask: Ask) -> None:
    told, _, took = ask("oracle", "slow")
    assert _size(told)[0] == "VM.Standard.E4.Flex"
    told, there, took = ask("aws", "slow")
    assert _size(told) == ("", "")
    assert [asked["method"] for asked in there.requests] == ["PUT", "GET"]
    assert 2 <= took < 3


@pytest.mark.parametrize("cloud", WITH_TOKEN)
@pytest.mark.parametrize("mode", ["no-token", "bad-token"])
def test_without_a_token_nothing_more_is_asked(cloud: str, mode: str, ask: Ask) -> None:
    told, there, _ = ask(cloud, mode)
    assert _size(told) == ("", "")
    assert [asked["method"] for asked in there.requests] == ["PUT"]


def test_google_has_to_say_that_it_is_google(ask: Ask) -> None:
    assert _size(ask("gcp", "no-flavor")[0]) == ("", "")


def test_proxies_are_gone_round(ask: Ask) -> None:
    nowhere = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "TELEMETRY_PROXY"), "http://127.0.0.1:9")
    told, _, _ = ask("gcp", **nowhere)
    assert told["proxy"] == "127.0.0.1:9"
    assert _size(told)[0] == "e2-medium"


@pytest.mark.parametrize(
    ("command", "environ"),
    [
        (("status",), {}),
        (("show", *FACTS), {"TELEMETRY": "off"}),
        (("show", *FACTS), {"TELEMETRY": ""}),
        (("show", *FACTS), {"DO_NOT_TRACK": "1"}),
        (("send", *FACTS, "--url", "http://127.0.0.1:9"), {"TELEMETRY": "off"}),
        (("show", *FACTS, "--instance-type", "t3.micro"), {}),
        (("show", *FACTS[2:], "--source", "vm"), {}),
        (("show", "--product", "installbuilder", "--product-version", "23.1.0"), {}),
        (("show", *FACTS, "--root", "ROOT"), {}),
        (("send", *FACTS, "--url", "http://127.0.0.1:9", "--background"), {"TELEMETRY": "off"}),
    ],
)
def test_nobody_is_asked_unless_it_is_allowed_and_needed(
    command: tuple[str, ...], environ: dict[str, str], ask: Ask, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "sys/class/dmi/id").mkdir(parents=True)
    (root / "sys/class/dmi/id/product_name").write_text("OpenStack Nova\n")
    _, there, _ = ask("openstack", command=[part.replace("ROOT", str(root)) for part in command], **environ)
    assert there.requests == []


def test_send_asks_once_a_boot_and_sends_what_show_showed(ask: Ask, collector: Collector) -> None:
    port = int(collector.url.rpartition(":")[2])
    send = ("send", *FACTS, "--url", collector.url)
    told, there, _ = ask("alibaba", command=send, forward=[port])
    assert told["outcome"] == "accepted"
    assert collector.received[0].fields["instance_type"] == "ecs.g6.large"
    assert {asked["to"] for asked in there.requests} == {ADDRESSES[1]}
    told, there, _ = ask("alibaba", command=send, forward=[port])
    assert (told["outcome"], there.requests) == ("already reported", [])
    told, there, _ = ask("alibaba")
    assert (_size(told), there.requests) == (("", ""), [])


def test_a_service_that_hangs_keeps_within_the_time_of_send(ask: Ask, collector: Collector) -> None:
    port = int(collector.url.rpartition(":")[2])
    send = ("send", *FACTS, "--url", collector.url, "--timeout", "1")
    told, _, took = ask("openstack", "hang", command=send, forward=[port])
    assert took < 2
    assert told["outcome"] == "waiting"


def test_the_service_is_asked_in_the_background_too(collector: Collector, tmp_path: Path) -> None:
    if what_is_missing():
        missing(what_is_missing())
    settings = {"TELEMETRY": "on", "PYTHONPATH": str(PACKAGE_PARENT), "HOME": str(tmp_path)}
    places = ["--state-dir", str(tmp_path / "state"), "--url", collector.url, "--background"]
    with InCloud("scaleway", "ok", [int(collector.url.rpartition(":")[2])]) as there:
        there.run([sys.executable, "-m", "telemetry_client", "send", *FACTS, *places], env=settings)
        until = time.monotonic() + 10
        while not collector.received and time.monotonic() < until:
            time.sleep(0.02)
    assert collector.received[0].fields["instance_type"] == "DEV1-S"
    assert [asked["path"] for asked in there.requests] == ["/conf"]
