"""What is said while a client waits is heard before anything leaves; whose "on" counts; what a link may not reach."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client.conformance.answers import Answer
from tests.client.conformance.clients import Client, Place, alone
from tests.client.conformance.listener import ACCEPTED, Listener
from tests.client.conformance.sending import NGINX, boot, let_wait
from tests.conftest import missing

STARTS_FRESH = True
NOBODY = 65534
every_client = pytest.mark.parametrize("client", alone("once_more"))
thorough_clients = pytest.mark.parametrize("client", alone("once_more", thorough=True))


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program of this user's holds a lock."""
    holding = os.open(path, os.O_RDONLY | (0 if path.is_dir() else os.O_CREAT), 0o600)
    try:
        fcntl.flock(holding, fcntl.LOCK_EX)
        yield
    finally:
        os.close(holding)


def saying(place: Place, client: Client, command: str, answer: bytes) -> Callable[[], bytes]:
    """An answer that comes once a person has said something in another terminal."""

    def say() -> bytes:
        done = place.run(client, command, beside=True)
        assert (done.code, done.err) == (0, "")
        return answer

    return say


@every_client
@pytest.mark.parametrize("command", ["off", "seal"])
def test_said_while_it_waits_for_the_lock(client: Client, agreed: Place, listener: Listener, command: str) -> None:
    """A seal forgets the stored "on" as well."""
    boot(agreed)
    beside = ThreadPoolExecutor(1)
    with held(agreed.state / "lock"):
        run = ("send", *NGINX, "--url", listener.url, "--timeout", "12")
        sending = beside.submit(agreed.tell, client, *run, beside=True)
        time.sleep(0.6)
        assert agreed.run(client, command, beside=True).code == 0
    assert sending.result()["outcome"] == "opted out"
    assert listener.connections == 0
    assert agreed.waiting() == []


@thorough_clients
@pytest.mark.parametrize("command", ["off", "seal"])
def test_said_while_the_collector_does_not_answer_well(
    client: Client, agreed: Place, listener: Listener, command: str
) -> None:
    """What was posted is posted; it is not kept for another try."""
    boot(agreed)
    busy = Answer("", 503).data(listener.url)
    assert busy is not None
    listener.script = [saying(agreed, client, command, busy)]
    told = agreed.tell(client, "send", *NGINX, "--url", listener.url, "--timeout", "8")
    assert told["outcome"] in {"opted out", "waiting"}
    assert agreed.waiting() == []
    assert len(listener.requests) == 1


@every_client
def test_said_while_an_earlier_report_is_on_its_way(client: Client, agreed: Place, listener: Listener) -> None:
    let_wait(agreed, listener.url, int(time.time()))
    listener.script = [saying(agreed, client, "off", ACCEPTED)]
    told = agreed.tell(client, "send", *NGINX, "--url", listener.url, "--timeout", "8")
    assert (told["outcome"], told["also_sent"]) == ("accepted", 0)
    assert len(listener.requests) == 1
    assert agreed.waiting() == []


@every_client
def test_sealed_image_stays_as_it_is(client: Client, place: Place, listener: Listener) -> None:
    """Also where something still tries to send, and is allowed to by the image's default."""
    boot(place)
    place.put(place.in_root("/etc/telemetry-client/image"), "default = on\n")
    assert place.run(client, "seal").code == 0
    before = sorted(path.name for path in place.state.iterdir())
    assert place.tell(client, "send", *NGINX, "--url", listener.url)["outcome"] == "sealed"
    assert sorted(path.name for path in place.state.iterdir()) == before
    assert listener.connections == 0


@every_client
def test_one_sender_at_a_time_and_none_waits_long(client: Client, agreed: Place, listener: Listener) -> None:
    with held(agreed.state / "lock"):
        started = time.monotonic()
        told = agreed.tell(client, "send", *NGINX, "--url", listener.url, "--timeout", "2")
        assert (told["outcome"], told["message"]) == ("busy", "not sent: another sender is at work here")
        assert 0.8 <= time.monotonic() - started < 6
    assert listener.connections == 0
    assert agreed.tell(client, "status")["last_send"]["outcome"] == "busy"


@thorough_clients
def test_nobody_else_keeps_a_sender_waiting(client: Client, agreed: Place, listener: Listener) -> None:
    """Anybody may hold a lock on a directory that may be read."""
    with held(agreed.state):
        assert agreed.tell(client, "send", *NGINX, "--url", listener.url)["outcome"] == "accepted"
    assert stat.S_IMODE((agreed.state / "lock").stat().st_mode) == 0o600


@every_client
def test_two_at_once_report_one_boot_once(client: Client, agreed: Place, listener: Listener) -> None:
    boot(agreed)
    with ThreadPoolExecutor(2) as threads:
        run = ("send", *NGINX, "--url", listener.url)
        sending = [threads.submit(agreed.tell, client, *run, beside=True) for _ in range(2)]
        outcomes = sorted(one.result()["outcome"] for one in sending)
    assert outcomes == ["accepted", "already reported"]
    assert len(listener.requests) == 1


@every_client
def test_on_in_a_directory_that_everybody_writes_is_an_off(client: Client, agreed: Place, listener: Listener) -> None:
    agreed.state.chmod(0o777)
    status = agreed.tell(client, "status")
    assert (status["telemetry"], status["rule"]) == ("off", "stored")
    assert status["reason"] == f"{agreed.state}/consent is not this user's alone"
    assert agreed.tell(client, "send", *NGINX, "--url", listener.url)["outcome"] == "opted out"
    assert listener.connections == 0
    done = agreed.run(client, "on")
    assert done.code == 1
    assert "is not this user's alone" in done.err


@thorough_clients
def test_on_of_another_user_is_an_off(client: Client, agreed: Place, listener: Listener) -> None:
    if os.geteuid() != 0:
        missing("files of another user need root")
    os.chown(agreed.state / "consent", NOBODY, NOBODY)
    assert agreed.tell(client, "status")["reason"].endswith("is not this user's alone")
    os.chown(agreed.state / "consent", 0, 0)
    os.chown(agreed.state, NOBODY, NOBODY)
    assert agreed.tell(client, "send", *NGINX, "--url", listener.url)["outcome"] == "opted out"
    assert listener.connections == 0


@thorough_clients
@pytest.mark.parametrize("command", ["off", "seal", "send"])
def test_outbox_that_is_a_link_leads_nowhere(client: Client, agreed: Place, listener: Listener, command: str) -> None:
    outside = agreed.base / "outside"
    outside.mkdir(mode=0o755)
    precious = outside / "1700000000-11111111-2222-4333-8444-555555555555.json"
    precious.write_text("precious")
    (agreed.state / "outbox").symlink_to(outside)
    listener.script = [Answer("", 503).data(listener.url)]
    agreed.run(client, command, *((*NGINX, "--url", listener.url) if command == "send" else ()))
    assert precious.read_text() == "precious"
    assert [path.name for path in outside.iterdir()] == [precious.name]
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755
    assert not (agreed.state / "outbox").is_symlink()


@thorough_clients
def test_file_that_is_too_long_to_be_read_is_an_off(client: Client, agreed: Place, listener: Listener) -> None:
    config = agreed.in_root("/etc/telemetry-client/config")
    agreed.put(config, "# long\n" * 150_000 + "telemetry = off\n")
    assert "cannot be read" in agreed.tell(client, "status")["reason"]
    assert agreed.tell(client, "send", *NGINX, "--url", listener.url)["outcome"] == "opted out"
    assert listener.connections == 0


@thorough_clients
def test_badly_formed_argument_is_told_and_not_repeated(client: Client, agreed: Place, listener: Listener) -> None:
    done = agreed.run(client, "send", *NGINX, "--os-version", "canary one", "--url", listener.url)
    assert done.code == 0
    said = "--os-version is left out: it has not its field's format; see `telemetry-client show`"
    assert said in done.err
    assert "canary" not in done.err + done.out
    assert "os_version" not in listener.requests[0].fields


@thorough_clients
def test_root_that_is_no_directory_is_wrong_use(client: Client, place: Place) -> None:
    done = place.run(client, "status", where=("--root", str(place.base / "canary")))
    assert done.code == 2
    assert "--root" in done.err
    assert "canary" not in done.err


@thorough_clients
@pytest.mark.parametrize("command", ["show", "send", "status", "log", "on", "off", "seal"])
def test_each_command_has_help_of_its_own(client: Client, place: Place, command: str) -> None:
    done = place.run(client, command, "--help")
    assert (done.code, done.err) == (0, "")
    assert "--state-dir" in done.out
    assert ("--dry-run" in done.out) == (command == "send")


@thorough_clients
def test_key_is_waited_for_once_it_may_be_sent_and_not_for_ever(
    client: Client, place: Place, listener: Listener
) -> None:
    reading, writing = os.pipe()
    try:
        run = ["send", "--product", "installbuilder", "--product-version", "23.1.0", "--license-key-stdin"]
        run += ["--url", listener.url, "--timeout", "1.5"]
        for environment, outcome in (({"TELEMETRY": "off"}, "opted out"), ({"TELEMETRY": "on"}, None)):
            started = time.monotonic()
            done = place.run(client, *run, "--format", "json", environment=environment, stdin=reading)
            took = time.monotonic() - started
            if outcome:
                assert json.loads(done.out)["outcome"] == outcome
                assert took < 1.5
            else:
                assert took < 5
    finally:
        os.close(reading)
        os.close(writing)
