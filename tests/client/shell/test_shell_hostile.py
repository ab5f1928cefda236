"""What a hostile caller, terminal, standard input or collector can do to the shell client: nothing, and in no time."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.shell.shells import CLIENT, NEEDED, SHELLS, call, directory_of, each_shell, need, run
from tests.client.shell.test_shell_transports import INSTALLBUILDER, KEY, Server, plain, secure, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.client.shell.shells import Ran

__all__ = ["plain", "secure", "send"]  # fixtures
LONG = " " * 60_000
FACTS = ("--product", "wordpress", "--product-version", "6.4.2-0")


@each_shell
@pytest.mark.parametrize(
    "variables",
    [
        {"TELEMETRY": f"{LONG}off"},
        {"TELEMETRY": f"off{LONG}"},
        {"TELEMETRY": f"x{LONG}on"},
        {"TELEMETRY": "on", "DO_NOT_TRACK": f"{LONG}\t1\v{LONG[:50_000]}"},
        {"TELEMETRY": "on", "DO_NOT_TRACK": f"\n{LONG}"},
    ],
    ids=["off at the end", "off first", "two words", "blanks of all kinds", "a line end is something"],
)
def test_long_runs_of_blanks_hide_no_off_and_take_no_time(
    shell: str, variables: dict[str, str], tmp_path: Path
) -> None:
    started = time.monotonic()
    places = ("--root", str(tmp_path), "--state-dir", str(tmp_path / "state"))
    ran = run(shell, "send", *places, *FACTS, "--url=http://127.0.0.1:9", environment=variables)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("nothing was sent: the environment variable ")
    assert time.monotonic() - started < 3


@each_shell
def test_strip_takes_away_what_is_short_as_what_is_long(shell: str) -> None:
    middle = "a \t\n b\n" + "x" * 400
    code = 'for text in "$@"; do strip "$text"; printf "<%s>" "$result"; done'
    texts = ["", " ", "a", " a ", " a\n ", f"{middle}", f" \t{middle}\r\v", LONG, f"{LONG}\n{LONG}", f"a{LONG}b\f"]
    expected = [text.strip(" \t\r\v\f") for text in texts]
    assert call(shell, code, *texts).out == "".join(f"<{text}>" for text in expected)


def test_where_awk_fails_a_long_value_is_still_set(tmp_path: Path) -> None:
    (tmp_path / "awk").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "awk").chmod(0o755)
    path = f"{tmp_path}:{os.defpath}"
    ran = call("dash", 'is_set "$1" && printf set', f"{LONG}1", environment={"PATH": path})
    assert ran.out == "set"


@pytest.fixture
def key_from(tmp_path: Path) -> Callable[..., tuple[Ran, float]]:
    """Sends InstallBuilder's report with the key from this file descriptor; how long it took."""

    def start(
        source: int, url: str, *arguments: str, shell: str = "dash", environment: Mapping[str, str] | None = None
    ) -> tuple[Any, float]:
        need(SHELLS[shell][0])
        (tmp_path / "root").mkdir(exist_ok=True)
        began = time.monotonic()
        done = subprocess.run(
            [*SHELLS[shell], CLIENT, "send", "--root", tmp_path / "root", "--url", url, *INSTALLBUILDER, *arguments],
            env={"PATH": os.defpath, "HOME": str(tmp_path), **(environment or {})},
            stdin=source,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return done, time.monotonic() - began

    return start


@each_shell
@pytest.mark.parametrize("how", [(), ("--background",)], ids=["", "background"])
def test_key_is_not_waited_for_when_opted_out(shell: str, how: tuple[str, ...], key_from: Callable[..., Any]) -> None:
    reading, writing = os.pipe()
    done, seconds = key_from(reading, "http://127.0.0.1:9", *how, shell=shell, environment={"TELEMETRY": "off"})
    os.write(writing, KEY.encode() + b"\n")
    assert os.read(reading, 100) == KEY.encode() + b"\n"
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing was sent" in done.stdout
    assert seconds < 2
    os.close(reading), os.close(writing)


ON = {"TELEMETRY": "on", "TELEMETRY_LICENSE_KEY": "0000-OF-THE-ENVIRONMENT"}


@each_shell
def test_key_in_pieces_of_a_writer_that_stays(shell: str, key_from: Callable[..., Any], plain: Server) -> None:
    reading, writing = os.pipe()
    slow = f"printf {KEY[:5]}; sleep 0.2; printf '{KEY[5:]}\\nmore\\n'; exec sleep 5"
    writer = subprocess.Popen(["sh", "-c", slow], stdout=writing)
    done, seconds = key_from(reading, plain.url, shell=shell, environment=ON)
    writer.kill(), writer.wait()
    os.close(reading), os.close(writing)
    assert done.stdout == "accepted: the report is on the collector's disk\n"
    assert plain.body["license_key"] == KEY
    assert seconds < 3


@each_shell
def test_input_without_an_end_is_no_key(shell: str, key_from: Callable[..., Any], plain: Server) -> None:
    with Path("/dev/zero").open("rb") as endless:
        done, seconds = key_from(endless.fileno(), plain.url, shell=shell, environment=ON)
    assert done.stdout == "accepted: the report is on the collector's disk\n"
    assert "license_key" not in plain.body
    assert seconds < 3


def test_key_that_does_not_come_is_not_waited_for_longer_than_told(key_from: Callable[..., Any], plain: Server) -> None:
    reading, writing = os.pipe()
    os.write(writing, KEY.encode())
    done, seconds = key_from(reading, plain.url, "--timeout=0.6", environment=ON)
    os.close(reading), os.close(writing)
    assert done.returncode == 0
    assert plain.heard == []
    assert 0.5 < seconds < 2.5


FORGED = [
    b"#handed 0\r\n#trouble \x1b[31mforged\x07\r\n#exit 124\r\n",
    b"HTTP/1.1 500 No\r\n#handed 0\r\n#trouble \x1b[31mforged\r\n#exit 124\r\nX: \x1b]0;forged\x07\r\n\r\n",
    b"HTTP/1.1 500 No\r\n\r\n\n#handed 0\n#trouble \x1b[31mforged\n#exit 124\n#proxy 407\n",
    b'HTTP/1.1 500 \x1b[31m\r\n\r\n{"outcome":"\x1b[31mforged","field":"\\u001b[31mforged"}',
]


@pytest.mark.parametrize("program", ["curl", "wget", "openssl", "nc", "bash"])
@pytest.mark.parametrize("number", range(len(FORGED)))
def test_no_answer_forges_a_mark_or_reaches_the_terminal(
    program: str,
    number: int,
    send: Callable[..., Ran],
    secure: Server,
    plain: Server,
    trusting: dict[str, str],
    tmp_path: Path,
) -> None:
    server = plain if program in {"nc", "bash"} else secure
    server.answer = FORGED[number]
    ran = send(program, server.url, environment=trusting)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.isascii()
    assert ran.out.rstrip("\n").isprintable()
    assert "forged" not in ran.out
    # It was handed to a connection, whatever the answer says of that.
    assert '"status":' in (tmp_path / "state/sent").read_text()


@each_shell
@pytest.mark.parametrize("bound", ["coreutils", "busybox", "none"])
def test_interrupt_ends_the_send_at_once(shell: str, bound: str, tmp_path: Path, plain: Server) -> None:
    need(SHELLS[shell][0], "busybox")
    (tmp_path / "root").mkdir()
    path = directory_of(tmp_path / "bin", (*NEEDED, "timeout", "curl"))
    if bound != "coreutils":
        (tmp_path / "bin/timeout").unlink()
    if bound == "busybox":
        (tmp_path / "bin/timeout").symlink_to(str(shutil.which("busybox")))
    plain.behave = lambda connection: connection.recv(1)  # type: ignore[assignment,return-value]
    arguments = ("send", "--root", tmp_path / "root", "--url", plain.url, *FACTS)
    with subprocess.Popen(
        [str(shutil.which(SHELLS[shell][0])), *SHELLS[shell][1:], CLIENT, *arguments],
        env={"PATH": path, "HOME": str(tmp_path), "TELEMETRY": "on"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as sending:
        while not plain.heard:
            time.sleep(0.01)
        started = time.monotonic()
        # As a terminal does it: to the whole group in the foreground.
        os.killpg(sending.pid, signal.SIGINT)
        sending.communicate(timeout=5)
        assert time.monotonic() - started < 1
        assert sending.returncode != 0


@each_shell
def test_temporary_files_are_made_with_their_mode_by_who_writes_them(shell: str, tmp_path: Path) -> None:
    # dd is a stand-in that tells what it writes to, which has no name that could be swapped for a link.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dd").write_text(f'#!/bin/sh\nls -lL /dev/fd/3 3>&1 >>{tmp_path}/told\nexec /bin/dd "$@"\n')
    (tmp_path / "bin/dd").chmod(0o755)
    path = f"{tmp_path}/bin:{os.defpath}"
    ran = call(
        shell, 'write_file "$1" a text 600 && write_file "$1" b text 644', str(tmp_path), environment={"PATH": path}
    )
    assert (ran.code, ran.err) == (0, "")
    if shell != "busybox":  # which takes its own dd
        modes = [line.split()[0] for line in (tmp_path / "told").read_text().splitlines()]
        assert modes == ["-rw-------", "-rw-r--r--"]
    assert [oct((tmp_path / name).stat().st_mode) for name in ("a", "b")] == ["0o100600", "0o100644"]
    assert "of=" not in CLIENT.read_text()


@each_shell
def test_links_in_the_place_of_files_are_replaced_not_followed(shell: str, tmp_path: Path, plain: Server) -> None:
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    state.mkdir(), elsewhere.mkdir(), (tmp_path / "root").mkdir()
    names = ("today", "sent", "last-send", "lock", "notice")
    for name in names:
        (elsewhere / name).write_text("")
        (state / name).symlink_to(elsewhere / name)
    (state / "outbox").symlink_to(elsewhere)
    (elsewhere / "1700000000-00000000-0000-4000-8000-000000000000.json").write_text("not ours")
    places = ("--root", str(tmp_path / "root"), "--state-dir", str(state))
    ran = run(shell, "send", *places, *FACTS, "--url", plain.url, environment={"TELEMETRY": "on"})
    assert ran.out == "accepted: the report is on the collector's disk\n"
    assert {each.name: each.read_text() for each in elsewhere.iterdir() if each.read_text()} == {
        "1700000000-00000000-0000-4000-8000-000000000000.json": "not ours"
    }
    assert [each.name for each in state.iterdir() if each.is_symlink()] == []
    assert oct((state / "lock").stat().st_mode) == "0o100600"
    assert (state / "outbox").stat().st_mode & 0o777 == 0o700


def test_wget_leaves_no_file_and_waits_for_no_fifo(send: Callable[..., Ran], plain: Server, tmp_path: Path) -> None:
    places = tmp_path / "tmp"
    places.mkdir()
    (tmp_path / "state/outbox").write_text("no directory")
    ran = send("wget", plain.url, environment={"TMPDIR": str(places)})
    assert ran.out == "accepted: the report is on the collector's disk\n"
    assert list(places.iterdir()) == []
    # Whatever stands where a file was to be made: its name cannot be known before.
    code = "state= t_method=POST t_headers= t_body=x t_url=$1 t_proxy= t_ticks=100 mark=m\n"
    code += "new_uuid() { result=x; }\nfind_bound; with_wget 2>/dev/null"
    os.mkfifo(places / ".telemetry-x")
    started = time.monotonic()
    told = call("dash", code, plain.url, environment={"TMPDIR": str(places), "PATH": os.defpath})
    assert "#m trouble wget has no place for a file" in told.out
    assert time.monotonic() - started < 2


@each_shell
def test_each_command_tells_the_options_that_it_takes(shell: str) -> None:
    for command in ("show", "send", "status", "log", "on", "off", "seal"):
        told = run(shell, command, "--help")
        assert (told.code, told.err) == (0, "")
        assert told.out.startswith(f"usage: telemetry-client {command} [OPTION...]\n\n")
        named = {line.split()[0].rstrip(",") for line in told.out.splitlines() if line.startswith("  --")}
        for option in sorted(named - {"--help"}):
            ran = run(shell, command, f"{option}=", "--nothing")
            assert "`" not in ran.err, (command, option)
            assert ran.code == 2
    general = run(shell, "--help").out
    assert "examples:\n" in general
    assert "exit codes:\n" in general
    assert "--left-behind" not in general + run(shell, "send", "--help").out


def test_a_lock_that_another_holds_is_waited_for_and_then_left(tmp_path: Path, plain: Server) -> None:
    state = tmp_path / "state"
    state.mkdir(), (tmp_path / "root").mkdir()
    (state / "lock").touch(0o600)
    places = ("--root", str(tmp_path / "root"), "--state-dir", str(state))
    with subprocess.Popen(["flock", state / "lock", "sleep", "3"]) as holder:
        time.sleep(0.1)
        started = time.monotonic()
        ran = run("dash", "send", *places, *FACTS, "--url", plain.url, "--timeout=1", environment={"TELEMETRY": "on"})
        assert 0.4 < time.monotonic() - started < 2
        holder.kill()
    assert ran.out == "not sent: another sender is at work here\n"
    assert plain.connections == 0
    assert "outcome = busy\n" in (state / "last-send").read_text()


def test_an_off_while_the_lock_is_waited_for_is_heard(tmp_path: Path, plain: Server) -> None:
    state = tmp_path / "state"
    state.mkdir(), (tmp_path / "root").mkdir()
    (state / "lock").touch(0o600)
    (state / "consent").write_text("choice = on\n")
    ready = socket.socketpair()
    with subprocess.Popen(
        ["flock", state / "lock", "sh", "-c", "printf x; sleep 0.7"], stdout=ready[1], close_fds=True
    ):
        ready[0].recv(1)
        places = ("--root", str(tmp_path / "root"), "--state-dir", str(state))
        with subprocess.Popen(
            ["dash", CLIENT, "send", *places, *FACTS, "--url", plain.url], stdout=subprocess.PIPE, text=True
        ) as sending:
            time.sleep(0.4)
            (state / "consent").write_text("choice = off\n")
            said, _ = sending.communicate(timeout=10)
    for each in ready:
        each.close()
    assert said == f"nothing was sent: {state}/consent says off\n"
    assert plain.connections == 0
    assert not (state / "last-send").exists()
