"""The shell client as a file that somebody audits: what it may not contain, what it needs, how it is described."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from schemas.generate import SHELL_CLIENT, published_files
from schemas.policy import load_policy
from telemetry_client.version import CLIENT_VERSION
from tests.client.shell.shells import CLIENT, NEEDED, SHELLS, call, directory_of, each_shell, need, run

PROJECT = Path(__file__).parents[3]
TEXT = CLIENT.read_text(encoding="utf-8")
README = (CLIENT.parent / "README.md").read_text(encoding="utf-8")
# Without comments and without what stands in single quotes.
CODE = re.sub(r"(?m)^\s*#.*$", "", TEXT)


def test_shellcheck_finds_nothing() -> None:
    need("shellcheck")
    done = subprocess.run(
        ["shellcheck", "--shell=dash", str(CLIENT)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == ""
    assert done.returncode == 0


@each_shell
def test_every_shell_can_read_it(shell: str) -> None:
    need(SHELLS[shell][0])
    done = subprocess.run([*SHELLS[shell], "-n", str(CLIENT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_permits_are_those_of_the_policy() -> None:
    assert published_files(load_policy())[SHELL_CLIENT] == TEXT, "run: make schemas"


def test_no_data_is_run() -> None:
    assert not re.search(r"\beval\b|(?m:^\s*(\.|source) )", CODE)
    assert "echo" not in re.sub(r"echo 'telemetry = off'", "", CODE)
    assert not re.search(r"curl [^|]*(-k\b|--insecure|-L\b|--location)|no-check-certificate", CODE)


def test_it_may_be_executed_and_fits_on_a_page() -> None:
    assert os.access(CLIENT, os.X_OK)
    assert TEXT.startswith("#!/bin/sh\n")
    assert TEXT.isascii()
    assert [
        number for number, line in enumerate(TEXT.split("\n"), 1) if len(line) > 120 and "case $3" not in line
    ] == []


def test_sections_are_those_that_its_head_names() -> None:
    sections = re.findall(r"(?m)^# == ([A-Za-z]+) =+$", TEXT)
    named = TEXT[TEXT.index("Sections, in this order:") :].partition("\n\n")[0].partition("\n")[2]
    assert named.replace("#", "").split() == sections
    assert all(f"`{section}`" in README for section in sections)


def test_every_function_says_what_it_does() -> None:
    functions = re.findall(r"(?m)^([a-z_0-9]+)\(\) \{", TEXT)
    assert len(functions) == len(set(functions))
    unused = [
        name for name in functions if len(re.findall(rf"\b{name}\b", TEXT)) < 2 and not name.startswith("command_")
    ]
    assert [name for name in unused if not re.match(r"with_", name)] == []


def test_version_is_that_of_the_package() -> None:
    stated = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert run("dash", "--version").out == f"telemetry-client {stated}\n"
    assert f"\nCLIENT_VERSION={CLIENT_VERSION}\n" in TEXT


@each_shell
def test_system_with_nothing_but_what_is_needed(shell: str, tmp_path: Path) -> None:
    path = directory_of(tmp_path / "bin", NEEDED)
    (tmp_path / "root").mkdir()
    places = ("--root", str(tmp_path / "root"), "--state-dir", str(tmp_path / "state"))
    for arguments in (
        ("show",),
        ("status",),
        ("on",),
        ("log",),
        ("send", "--url", "https://example.com"),
        ("off",),
        ("seal",),
    ):
        facts = ("--product", "wordpress", "--product-version", "1") if arguments[0] in {"show", "send"} else ()
        ran = run(shell, *arguments, *places, *facts, path=path)
        assert (ran.code, ran.err) == (0, ""), arguments


@each_shell
def test_hostile_variables_of_the_same_names_do_nothing(shell: str, tmp_path: Path) -> None:
    names = set(re.findall(r"(?m)\b([a-z][a-z_0-9]*)=", CODE)) - {"container", "https_proxy", "all_proxy", "no_proxy"}
    environment = dict.fromkeys(names, "$(touch ran); x")
    places = ("--root", str(tmp_path), "--state-dir", str(tmp_path / "state"), "--format", "json")
    for command in ("show", "status"):
        told, plain = (
            json.loads(run(shell, command, *places, environment=variables).out) for variables in (environment, {})
        )
        for each in (told, plain):
            each.pop("fields", None), each.pop("body", None)
        assert told == plain


@each_shell
def test_output_that_nobody_reads_is_no_error(shell: str, tmp_path: Path) -> None:
    need(SHELLS[shell][0])
    command = f"{' '.join(SHELLS[shell])} {CLIENT} show --root {tmp_path} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=30)
    assert (done.stdout, done.stderr) == ("Report         image-boot/1\n", "")


def test_ids_where_the_kernel_gives_none() -> None:
    code = 'od -An -v -N16 -tx1 /dev/urandom | awk "$AWK_UUID"'
    ids = {call("dash", code).out.strip() for _ in range(40)}
    assert len(ids) == 40
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each) for each in ids
    )


@pytest.mark.parametrize("seconds", ["0.001", "00.000", ".", "60.01", "1e1", " 5", "99999999999999999999"])
def test_timeouts_that_are_none(seconds: str) -> None:
    ran = run("dash", "send", f"--timeout={seconds}")
    assert ran.code == 2
    assert "argument --timeout: " in ran.err


@each_shell
@pytest.mark.parametrize("how", ["awk is missing", "head is missing", "awk is killed", "cannot be read to its end"])
def test_administrators_file_that_is_not_read_counts_as_off(shell: str, how: str, tmp_path: Path) -> None:
    need(SHELLS[shell][0])
    programs, root = tmp_path / "bin", tmp_path / "root"
    programs.mkdir()
    for directory in ("/usr/bin", "/bin"):
        for program in Path(directory).iterdir():
            if not (programs / program.name).exists() and f"{program.name} is missing" != how:
                (programs / program.name).symlink_to(program)
    if how == "awk is killed":
        (programs / "awk").unlink()
        (programs / "awk").write_text('#!/bin/sh\ncase $* in *unquoted*) kill -9 $$ ;; esac\nexec /usr/bin/awk "$@"\n')
        (programs / "awk").chmod(0o755)
    (root / "etc/telemetry-client").mkdir(parents=True)
    (root / "etc/telemetry-client/config").write_text("telemetry = off\n")
    image = "/proc/self/mem" if how == "cannot be read to its end" else ""
    ran = subprocess.run(
        [
            *SHELLS[shell],
            CLIENT,
            "send",
            "--root",
            root,
            "--product=nginx",
            "--product-version=1",
            "--url=http://127.0.0.1:9",
        ],
        env={"PATH": str(programs), "TELEMETRY": "on", "HOME": str(tmp_path), "TELEMETRY_CONFIG": image},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "nothing was sent" in ran.stdout, ran
    assert ran.returncode == 0
