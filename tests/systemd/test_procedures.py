"""deploy/PROCEDURES.md as far as it can be held to the program without a boot; `make procedures` does all of it."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess

import click
import pytest

from collector.cli.main import VERBS
from tests.systemd.procedures import DOCUMENT, commands_of, parts

TEXT = DOCUMENT.read_text(encoding="utf-8")
PARTS = parts(TEXT)
COMMANDS = [command.text for part in PARTS for command in part.commands]
# `collector VERB ...` up to what a shell does with it.
_COLLECTOR = re.compile(r"(?:^|[;|&] *)collector ([^;|&<>]+)")


def collector_commands() -> list[str]:
    texts = [*COMMANDS, *(part.trial for part in PARTS if part.trial)]
    return [found.strip() for text in texts for line in text.splitlines() for found in _COLLECTOR.findall(line)]


@pytest.mark.parametrize("line", sorted(set(collector_commands())))
def test_command_and_its_options_exist(line: str) -> None:
    words = shlex.split(re.sub(r"\$\(.*\)", "x", line))
    if words == ["--version"]:
        return
    assert words[0] in VERBS
    command = importlib.import_module(f"collector.cli.{words[0].replace('-', '_')}").command
    rest = words[1:]
    while isinstance(command, click.Group):
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def test_every_command_was_run_and_answered() -> None:
    """The last run wrote the answers; a block without any, but for silent commands, was never run."""
    silent = re.compile(
        r"^(cd|mv|rm|cat|cp|ln|tar|chown|sed|printf|\(umask|systemctl|collector token create)\b|^\(umask"
    )
    blocks = re.findall(r"^```console\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for block in blocks:
        lines = block.splitlines()
        for line, following in zip(lines, [*lines[1:], "$ "], strict=True):
            if line.startswith("$ ") and not silent.match(line.removeprefix("$ ")):
                assert not following.startswith("$ "), f"nothing was answered to: {line}"


def test_scripts_of_the_trial_are_shell() -> None:
    for part in PARTS:
        if part.trial:
            checked = subprocess.run(["bash", "-n"], input=part.trial, text=True, capture_output=True, check=False)
            assert checked.returncode == 0, checked.stderr


def test_no_secret_is_in_the_document() -> None:
    assert not re.search(r"ptel_[0-9a-f]{8}", TEXT)
    assert not re.search(r"SHA256=[0-9a-f]{64}", TEXT)


def test_exit_codes_are_read_from_the_document() -> None:
    assert [(one.text, one.code) for one in commands_of("$ a\nsaid\n$ b\n[exit code 3]\n$ c\n")] == [
        ("a", 0),
        ("b", 3),
        ("c", 0),
    ]


def test_procedures_that_the_runbook_names_are_there() -> None:
    runbook = (DOCUMENT.parent / "RUNBOOK.md").read_text(encoding="utf-8")
    titles = {part.title.removeprefix("## ") for part in PARTS if part.title}
    named = set(re.findall(r'"([A-Z][a-z]+(?: [a-zA-Z]+)*)"', runbook))
    assert named, "the runbook names procedures in quotes"
    assert named <= titles
