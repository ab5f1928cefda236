"""Files in odd shapes: nothing hangs, nothing is overlooked, nothing outside is touched."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from telemetry_client.configuration import read_configuration
from telemetry_client.machine import Machine
from telemetry_client.outbox import Outbox
from telemetry_client.pause import seconds_to_wait
from telemetry_client.state import State, default_directories

UNPRIVILEGED = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="root is missing: only root can hide a directory from another user")
def test_administrators_file_in_a_directory_that_may_not_be_searched_counts_as_off(tmp_path: Path) -> None:
    directory = tmp_path / "etc" / "telemetry-client"
    directory.mkdir(parents=True)
    (directory / "config").write_text("telemetry = off\n")
    directory.chmod(0o700)
    os.seteuid(UNPRIVILEGED)
    try:
        configuration = read_configuration(Machine(root=str(tmp_path)), "", "")
    finally:
        os.seteuid(0)
    assert configuration.problems


@pytest.mark.parametrize("broken", ["choice = off # no thanks", "choice = 'on", "on", "choice = off"])
def test_one_broken_line_in_the_stored_choice_is_enough_for_off(tmp_path: Path, broken: str) -> None:
    (tmp_path / "consent").write_text(f"choice = on\nchosen_at = 1\n{broken}\n")
    choice = State(str(tmp_path)).choice()
    assert choice is not None
    assert not choice.is_on


def test_fifo_in_the_place_of_a_state_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "consent")
    choice = State(str(tmp_path)).choice()
    assert choice is not None
    assert not choice.is_on


@pytest.mark.parametrize("digits", [400, 5000])
def test_absurd_numbers_in_the_state_are_read_as_nothing(tmp_path: Path, digits: int) -> None:
    (tmp_path / "consent").write_text(f"choice = on\nchosen_at = {'9' * digits}\n")
    (tmp_path / "not-before").write_text(f"url = http://127.0.0.1\nnot_before = {'9' * digits}\n")
    state = State(str(tmp_path))
    choice = state.choice()
    assert choice is not None
    assert choice.chosen_at == 0
    assert seconds_to_wait(state, "http://127.0.0.1", 0) == 0


def test_outbox_that_is_a_link_is_replaced_and_its_target_stays_what_it_is(tmp_path: Path) -> None:
    from telemetry_client.facts import Given, collect
    from telemetry_client.permits import load_permits
    from telemetry_client.report import compose

    target = tmp_path / "target"
    target.mkdir(mode=0o755)
    (tmp_path / "outbox").symlink_to(target)
    given = Given(product="wordpress", product_version="6.4.2-0", source="vm")
    report = compose(load_permits(), collect(Machine(root=str(tmp_path)), given))
    assert Outbox(str(tmp_path / "outbox")).put(report, "http://127.0.0.1", int(time.time()))
    assert not (tmp_path / "outbox").is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert list(target.iterdir()) == []


def test_links_in_an_image_do_not_lead_to_its_host(tmp_path: Path) -> None:
    image, host = tmp_path / "image", tmp_path / "host"
    (image / "etc").mkdir(parents=True)
    (image / "var" / "lib").mkdir(parents=True)
    host.mkdir()
    (host / "os-release").write_text("ID=hostos\n")
    (image / "etc" / "os-release").symlink_to(host / "os-release")
    (image / "var" / "lib" / "telemetry-client").symlink_to(host)
    (image / "etc" / "inside").symlink_to("../etc/real")
    (image / "etc" / "real").write_text("here")
    machine = Machine(root=str(image), host="/", is_root=True)
    assert machine.read("/etc/os-release") is None
    assert machine.read("/etc/inside") == "here"
    assert default_directories(machine) == ()
