"""The opt-out in a machine's user-data: heard wherever it stands, never run, and never an opt-in."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT, missing

SCRIPT = PROJECT / "deploy" / "images" / "user-data"

SAYS_OFF = {
    "alone": b"telemetry=off\n",
    "without a line end": b"telemetry=off",
    "blanks, capitals and CR": b"  TELEMETRY = OFF \t\r\n",
    "quotes": b"telemetry='off'\ntelemetry=\"on\"\n",
    "export": b"#!/bin/sh\nexport TELEMETRY=0\n",
    "between others": b"# Bitnami\nPASSWORD=x\ntelemetry=false\nOTHER=1\n",
    "off beside on": b"telemetry=on\ntelemetry=off\ntelemetry=on\n",
    "not clearly on": b"telemetry=onn\n",
    "an expansion": b"telemetry=$(echo on)\n",
    "do not track": b"DO_NOT_TRACK=1\n",
    "in a MIME part": b"MIME-Version: 1.0\n\n--x\nContent-Type: text/plain\n\ntelemetry=off\n--x--\n",
    "among NULs": b"\x1f\x8b\x00\x00\ntelemetry=off\n\xff\xfe\x00",
    "the last line of 16 kB": b"#" * 16368 + b"\ntelemetry=off\n",
    "a byte order mark": b"\xef\xbb\xbftelemetry=off\n",
    "two bytes a letter": "telemetry=off\r\n".encode("utf-16"),
    "declare": b"#!/bin/bash\ndeclare -x telemetry=off\n",
    "several on a line": b"export A=1 telemetry=off\n",
    "after quotes with blanks": b"export A='x y' B=\"z 1\" telemetry=0 C=2\n",
    "in front of a command": b"TELEMETRY=off ./setup --telemetry=on\n",
    "after a semicolon": b"set -e; export telemetry=off; reboot\n",
    "before a comment": b"telemetry=off # ours\n",
    "quotes that do not close": b"telemetry='on\n",
    "yaml": b"#cloud-config\ntelemetry: off\n",
    "yaml in quotes with a comment": b'#cloud-config\npackages: [x]\n"x": 1\ntelemetry : "Off"  # ours\n',
    "yaml do not track": b"do_not_track: true\n",
}
SAYS_NOTHING = {
    "empty": b"",
    "on": b"telemetry=on\n",
    "on in quotes": b'telemetry = "On"\nDO_NOT_TRACK=0\n',
    "not set": b"telemetry=\nDO_NOT_TRACK=\n",
    "another key": b"my_telemetry=off\ntelemetry_url=off\nx telemetry=off\n",
    "a comment": b"# telemetry=off\n# x; telemetry=off\nA=1 # telemetry=off\n",
    "on among others": b"export A=1 telemetry=on DO_NOT_TRACK=0 B=2; reboot\n",
    "within a value": b"A='telemetry=off'\nB=\"x telemetry=off\"\n",
    "yaml of another": b"#cloud-config\ntelemetry: on # ours\nnetdata:\n  telemetry: off\nurl: off\n",
    "after 16 kB": b"#" * 20000 + b"\ntelemetry=off\n",
    "no text": bytes(range(256)) * 64,
}


def run(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", SCRIPT, root], capture_output=True, text=True, check=False, timeout=20)


def is_held_back(root: Path) -> bool:
    return (root / "run/telemetry-client/held-back").exists()


def place(root: Path, text: bytes, name: str = "user-data.txt") -> Path:
    file = root / "var/lib/cloud/instance" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)
    return root / "etc/telemetry-client/config"


@pytest.mark.parametrize("text", SAYS_OFF.values(), ids=SAYS_OFF)
def test_off_goes_into_the_administrators_file(tmp_path: Path, text: bytes) -> None:
    config = place(tmp_path, text)
    for _twice in range(2):
        assert run(tmp_path).returncode == 0
        assert config.read_text(encoding="utf-8") == "\n# user-data of this machine says so\ntelemetry = off\n"
    assert not is_held_back(tmp_path)


@pytest.mark.parametrize("text", SAYS_NOTHING.values(), ids=SAYS_NOTHING)
def test_anything_else_changes_nothing(tmp_path: Path, text: bytes) -> None:
    place(tmp_path, text)
    told = run(tmp_path)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert not (tmp_path / "etc").exists()
    assert not is_held_back(tmp_path)


def test_what_cloud_init_unpacked_is_heard_too(tmp_path: Path) -> None:
    place(tmp_path, b"\x1f\x8b not text")
    config = place(tmp_path, b"telemetry=off\n", "user-data.txt.i")
    run(tmp_path)
    assert "telemetry = off" in config.read_text(encoding="utf-8")


def test_what_the_administrator_wrote_stays(tmp_path: Path) -> None:
    config = place(tmp_path, b"telemetry=off\n")
    config.parent.mkdir(parents=True)
    config.write_text("url = https://telemetry.example.com\ntelemetry = on", encoding="utf-8")
    run(tmp_path)
    lines = config.read_text(encoding="utf-8").split("\n")
    assert lines[:2] == ["url = https://telemetry.example.com", "telemetry = on"]
    assert "telemetry = off" in lines


def test_nothing_of_it_is_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    run_me = f"touch {canary}"
    place(
        tmp_path, f"#!/bin/sh\n{run_me}\ntelemetry=`{run_me}`\ntelemetry=$({run_me})\ntelemetry='; {run_me}\n".encode()
    )
    run(tmp_path)
    assert not canary.exists()


@pytest.mark.parametrize("what", ["a directory", "a fifo"])
def test_where_the_file_cannot_be_written_the_mark_holds_the_sender_back(tmp_path: Path, what: str) -> None:
    config = place(tmp_path, b"telemetry=off\n")
    config.parent.mkdir(parents=True)
    if what == "a fifo":
        subprocess.run(["mkfifo", config], check=True)
    else:
        config.mkdir()
    told = run(tmp_path)
    assert told.returncode == 0
    assert "this holds for this boot" in told.stderr
    assert is_held_back(tmp_path)


@pytest.mark.parametrize("where", ["elsewhere", "shared"])
def test_a_link_of_the_administrator_is_followed_to_a_file_and_makes_none(tmp_path: Path, where: str) -> None:
    config = place(tmp_path, b"telemetry=off\n")
    config.parent.mkdir(parents=True)
    config.symlink_to(tmp_path / where)
    (tmp_path / "shared").write_text("# ours\n")
    run(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    assert ("telemetry = off" in (tmp_path / "shared").read_text()) == (where == "shared")
    assert is_held_back(tmp_path) == (where == "elsewhere")


@pytest.mark.parametrize("what", ["head hangs", "awk is missing"])
def test_who_is_killed_or_cannot_hear_lets_nothing_through(tmp_path: Path, what: str) -> None:
    config = place(tmp_path, b"telemetry=on\n")
    run(tmp_path)
    assert not is_held_back(tmp_path)
    program, text = {"head hangs": ("head", "exec sleep 5"), "awk is missing": ("awk", "exit 127")}[what]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / program).write_text(f"#!/bin/sh\n{text}\n")
    (tmp_path / "bin" / program).chmod(0o755)
    environment = {"PATH": f"{tmp_path}/bin:{os.defpath}"}
    # In a process group of its own, as the unit's `timeout` ends it.
    command = ["timeout", "-k", "1", "0.5", "sh", SCRIPT, tmp_path]
    subprocess.run(command, env=environment, capture_output=True, check=False, timeout=20)
    assert is_held_back(tmp_path)
    # The next boot, or the hourly unit, hears it again.
    run(tmp_path)
    assert not is_held_back(tmp_path)
    assert not config.exists()


def test_what_cloud_init_makes_of_a_compressed_script_is_heard(tmp_path: Path) -> None:
    processor = (
        "import gzip, sys; from cloudinit import helpers, user_data\n"
        "paths = helpers.Paths({'cloud_dir': sys.argv[1], 'run_dir': sys.argv[1]})\n"
        "sys.stdout.write(str(user_data.UserDataProcessor(paths).process(gzip.compress(b'#!/bin/sh\\ntelemetry=off\\n'))))"
    )
    if shutil.which("cloud-init") is None:
        missing("cloud-init is missing")
    made = subprocess.run(
        ["/usr/bin/python3", "-c", processor, tmp_path / "cloud"], capture_output=True, check=False, timeout=20
    )
    assert b"telemetry=off" in made.stdout, made.stderr
    place(tmp_path, gzip.compress(b"#!/bin/sh\ntelemetry=off\n"))
    config = place(tmp_path, made.stdout, "user-data.txt.i")
    run(tmp_path)
    assert "telemetry = off" in config.read_text(encoding="utf-8")


@pytest.mark.parametrize("what", ["nothing", "a directory", "a fifo"])
def test_without_user_data_nothing_happens(tmp_path: Path, what: str) -> None:
    file = tmp_path / "var/lib/cloud/instance/user-data.txt"
    file.parent.mkdir(parents=True)
    if what == "a directory":
        file.mkdir()
    elif what == "a fifo":
        subprocess.run(["mkfifo", file], check=True)
    told = run(tmp_path)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
