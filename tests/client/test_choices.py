"""One `off` reaches every sender of a user, wherever that sender keeps its state."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import telemetry_client
from telemetry_client import cli as command_line
from telemetry_client import opening
from telemetry_client.client import Client, open_client
from telemetry_client.configuration import ADMINISTRATOR_FILE, IMAGE_FILE
from telemetry_client.deadline import Deadline
from telemetry_client.facts import Given
from telemetry_client.machine import Machine, this_machine
from telemetry_client.permits import IMAGE_BOOT, load_permits
from telemetry_client.result import Fate, Result
from telemetry_client.state import SYSTEM_DIRECTORY, State, state_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.conftest import BuildMachine, Cli, Collector, Place

NOW = 1_790_000_000.0
FACTS = ("--product", "wordpress", "--product-version", "6.4.2-0")
DEFAULT = Path("home/.local/state/telemetry-client")


@pytest.fixture
def person(machine: BuildMachine, tmp_path: Path, collector: Collector) -> Callable[..., Client]:
    """The client of one person, or of root, with these further variables and this --state-dir."""

    def build(
        state_dir: str = "", environ: dict[str, str] | None = None, *, seconds: float = 0, **account: Any
    ) -> Client:
        here = machine({"HOME": str(tmp_path / "home"), **(environ or {})}, **account)
        state = State(state_directory(here, state_dir))
        return open_client(here, load_permits(), state, NOW + seconds, url=collector.url)

    return build


def _send(client: Client) -> Result:
    return client.send(Given(product="wordpress", product_version="6.4.2-0"), Deadline(5))


def test_a_plain_off_stops_a_sender_with_a_state_directory_of_its_own(cli: Cli, collector: Collector) -> None:
    send = ("send", "--url", collector.url, *FACTS)
    cli("on")
    collector.answer(503, {"Retry-After": "0"})
    assert "waits in the outbox" in cli(*send).stdout
    assert cli("off", has_own_state=False).returncode == 0
    assert "telemetry-client/consent says off" in cli(*send).stdout
    assert len(collector.received) == 1
    assert list((cli.state / "outbox").iterdir()) == []


@pytest.mark.parametrize("is_root", [False, True])
def test_the_same_for_root_and_for_any_other_user(
    is_root: bool, person: Callable[..., Client], tmp_path: Path, collector: Collector
) -> None:
    own = str(tmp_path / "own")
    person(own, is_root=is_root).choose(is_on=True)
    assert _send(person(own, is_root=is_root)).is_accepted
    person(is_root=is_root).choose(is_on=False)
    assert _send(person(own, is_root=is_root)).fate is Fate.OPTED_OUT
    # The other way round as well: the usual sender hears an off that was given with a directory.
    person(is_root=is_root).choose(is_on=True)
    assert person(is_root=is_root).decision(IMAGE_BOOT).is_on
    person(own, is_root=is_root).choose(is_on=False)
    assert _send(person(is_root=is_root)).fate is Fate.OPTED_OUT
    assert len(collector.received) == 1


def test_an_off_under_xdg_state_home_stops_a_sender_without_that_variable(
    person: Callable[..., Client], tmp_path: Path, collector: Collector
) -> None:
    xdg = {"XDG_STATE_HOME": str(tmp_path / "xdg")}
    person().choose(is_on=True)
    chosen = person(environ=xdg).choose(is_on=False)
    assert _send(person()).fate is Fate.OPTED_OUT
    assert _send(person(environ=xdg)).fate is Fate.OPTED_OUT
    assert collector.connections == 0
    assert [Path(path).parent for path in chosen.stored] == [
        tmp_path / "xdg" / "telemetry-client",
        tmp_path / DEFAULT,
    ]


def test_an_off_without_xdg_state_home_stops_a_sender_with_it(
    person: Callable[..., Client], tmp_path: Path, collector: Collector
) -> None:
    xdg = {"XDG_STATE_HOME": str(tmp_path / "xdg")}
    person(environ=xdg).choose(is_on=True)
    person().choose(is_on=False)
    assert _send(person(environ=xdg)).fate is Fate.OPTED_OUT
    assert collector.connections == 0


def test_an_off_of_root_with_a_state_directory_binds_every_user(
    person: Callable[..., Client], tmp_path: Path, collector: Collector
) -> None:
    person().choose(is_on=True)
    person(environ={"TELEMETRY_STATE_DIR": str(tmp_path / "roots")}, is_root=True).choose(is_on=False)
    result = _send(person())
    assert result.fate is Fate.OPTED_OUT
    assert f"{SYSTEM_DIRECTORY}/consent says off" in result.message
    assert collector.connections == 0


def test_an_off_stops_a_sender_whose_environment_has_no_home(
    machine: BuildMachine, person: Callable[..., Client], tmp_path: Path
) -> None:
    person().choose(is_on=False)
    service = machine({"TELEMETRY": "on"}, home=str(tmp_path / "home"))
    client = open_client(service, load_permits(), State(str(tmp_path / "own")), NOW, url="http://127.0.0.1:9")
    assert _send(client).fate is Fate.OPTED_OUT


def test_the_api_hears_a_plain_off_too(tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    place = tmp_path / DEFAULT
    monkeypatch.setattr(opening, "this_machine", lambda _root: Machine(str(tmp_path), {"HOME": str(tmp_path / "home")}))
    State(str(tmp_path / "own")).choose(is_on=True, now=1)
    facts = {"product": "wordpress", "product_version": "6.4.2-0", "url": collector.url}
    assert telemetry_client.report_boot(**facts, state_dir=tmp_path / "own").is_accepted
    State(str(place)).choose(is_on=False, now=2)
    assert telemetry_client.report_boot(**facts, state_dir=tmp_path / "own").fate is Fate.OPTED_OUT
    assert len(collector.received) == 1


def test_off_deletes_what_waits_in_the_default_place_too(
    person: Callable[..., Client], tmp_path: Path, collector: Collector
) -> None:
    for state_dir in ("", str(tmp_path / "own")):
        person(state_dir).choose(is_on=True)
        collector.answer(503, {"Retry-After": "0"})
        assert _send(person(state_dir)).fate is Fate.WAITING
    assert person(str(tmp_path / "own")).choose(is_on=False).forgotten == 2
    assert person().outbox.names() == person(str(tmp_path / "own")).outbox.names() == []


def test_on_lifts_this_users_own_default_off_and_says_so(cli: Cli, collector: Collector) -> None:
    cli("off", has_own_state=False)
    done = cli("on")
    assert "an earlier off was lifted: " in done.stdout
    assert "`telemetry-client show` shows what is sent" in done.stdout
    assert "accepted" in cli("send", "--url", collector.url, *FACTS).stdout
    assert "lifted" not in cli("on").stdout


def test_on_of_a_user_does_not_lift_roots_off(
    person: Callable[..., Client], tmp_path: Path, collector: Collector
) -> None:
    person(is_root=True).choose(is_on=False)
    person().choose(is_on=False)
    chosen = person(str(tmp_path / "own")).choose(is_on=True)
    assert chosen.lifted == (str(tmp_path / DEFAULT / "consent"),)
    assert "var/lib/telemetry-client/consent says off" in person(str(tmp_path / "own")).decision(IMAGE_BOOT).reason
    assert collector.connections == 0


def test_on_says_why_still_nothing_is_sent_where_the_off_is_not_the_users_to_lift(
    cli: Cli, person: Callable[..., Client], root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    person(is_root=True).choose(is_on=False)
    monkeypatch.setattr(opening, "this_machine", lambda _root: person().machine)
    assert command_line.run(["on", "--state-dir", str(cli.state)]) == 0
    assert f"still nothing is sent: {root}/var/lib/telemetry-client/consent says off" in capsys.readouterr().out


def test_what_waited_when_off_was_said_is_not_sent_after_on(
    person: Callable[..., Client], tmp_path: Path, collector: Collector
) -> None:
    own = str(tmp_path / "own")
    person(own).choose(is_on=True)
    collector.answer(503, {"Retry-After": "0"})
    assert _send(person(own)).fate is Fate.WAITING
    person(seconds=10).choose(is_on=False)
    person(own, seconds=20).choose(is_on=True)
    result = _send(person(own, seconds=30))
    assert (result.is_accepted, result.also_sent) == (True, 0)
    assert len(collector.received) == 2


def test_on_with_a_directory_is_for_that_directory_alone(person: Callable[..., Client], tmp_path: Path) -> None:
    person(str(tmp_path / "own")).choose(is_on=True)
    assert not person().decision(IMAGE_BOOT).is_on
    assert not person(str(tmp_path / "other")).decision(IMAGE_BOOT).is_on


def test_on_that_cannot_be_stored_lifts_nothing(person: Callable[..., Client], tmp_path: Path) -> None:
    person().choose(is_on=False)
    (tmp_path / "file").write_text("")
    chosen = person(str(tmp_path / "file")).choose(is_on=True)
    assert chosen.failed
    assert not chosen.lifted
    assert (tmp_path / DEFAULT / "consent").exists()


def test_roots_off_can_be_seen_by_everybody_whatever_the_umask(person: Callable[..., Client], root: Path) -> None:
    before = os.umask(0o077)
    try:
        person(is_root=True).choose(is_on=False)
    finally:
        os.umask(before)
    directory = root / SYSTEM_DIRECTORY.lstrip("/")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert stat.S_IMODE((directory / "consent").stat().st_mode) == 0o644


def test_root_of_an_image_is_bound_by_the_machine_that_looks_at_it(
    place: Place,
    root: Path,
    tmp_path: Path,
    cli: Cli,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    host = tmp_path / "host"
    (host / "etc/telemetry-client").mkdir(parents=True)
    place(IMAGE_FILE, f"telemetry = on\nurl = {collector.url}\n")
    image = Machine(str(root), {"HOME": str(tmp_path / "home")}, host=str(host))
    monkeypatch.setattr(opening, "this_machine", lambda _root: image)
    arguments = ["send", "--root", str(root), "--state-dir", str(cli.state), *FACTS]

    assert command_line.run(arguments) == 0
    assert "accepted" in capsys.readouterr().out
    (host / ADMINISTRATOR_FILE.lstrip("/")).write_text("telemetry = off\nurl = https://elsewhere.example.com\n")
    assert command_line.run(arguments) == 0
    assert f"{host}{ADMINISTRATOR_FILE} line 1 says off" in capsys.readouterr().out
    place(ADMINISTRATOR_FILE, "telemetry = off\n")
    assert command_line.run(arguments) == 0
    assert f"{root}{ADMINISTRATOR_FILE} line 1 says off" in capsys.readouterr().out
    assert len(collector.received) == 1
    command_line.run(["status", "--root", str(root)])
    assert f"{host}{ADMINISTRATOR_FILE}" in capsys.readouterr().out


def test_another_root_has_this_machine_as_its_host(tmp_path: Path) -> None:
    assert this_machine(str(tmp_path), {}).host == "/"
    assert this_machine("/", {}).host == this_machine("//", {}).host == ""
