"""The pages that `make procedures` does, as far as they can be held to the program without a boot."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess

import click
import pytest

from collector.cli.main import VERBS
from tests.conftest import PROJECT
from tests.systemd.procedures import PAGES, commands_of, parts

TEXTS = {name: page.read_text(encoding="utf-8") for name, page in PAGES.items()}
PARTS = {name: parts(text) for name, text in TEXTS.items()}
EVERY_PART = [part for found in PARTS.values() for part in found]
COMMANDS = [command.text for part in EVERY_PART for command in part.commands]
# `collector VERB ...` up to what a shell does with it.
_COLLECTOR = re.compile(r"(?:^|[;|&] *)collector ([^;|&<>]+)")


def collector_commands() -> list[str]:
    texts = [*COMMANDS, *(part.trial for part in EVERY_PART if part.trial)]
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


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_command_was_run_and_answered(text: str) -> None:
    """The last run wrote the answers; a block without any, but for silent commands, was never run."""
    silent = re.compile(
        r"^(cd|mv|rm|cat|cp|ln|tar|chown|sed|printf|\(umask|systemctl|collector token create)\b|^\(umask"
    )
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        lines = block.splitlines()
        for line, following in zip(lines, [*lines[1:], "$ "], strict=True):
            if line.startswith("$ ") and not silent.match(line.removeprefix("$ ")):
                assert not following.startswith("$ "), f"nothing was answered to: {line}"


def test_scripts_of_the_trial_are_shell() -> None:
    for part in EVERY_PART:
        if part.trial:
            checked = subprocess.run(["bash", "-n"], input=part.trial, text=True, capture_output=True, check=False)
            assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_secret_is_in_a_page(text: str) -> None:
    assert not re.search(r"ptel_[0-9a-f]{8}", text)
    assert not re.search(r"SHA256=[0-9a-f]{64}", text)


def test_no_answer_holds_the_key_that_was_asked_with_or_a_pseudonym() -> None:
    """The key stands in the trial's own part alone, which makes the reports."""
    (key,) = set(re.findall(r"LICENCE-[A-Z0-9]+", TEXTS["RIGHTS.md"]))
    shown = re.sub(r"<!-- trial\n.*?-->", "", TEXTS["RIGHTS.md"], flags=re.DOTALL)
    assert key not in shown
    assert not re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", shown)


def test_exit_codes_are_read_from_the_document() -> None:
    assert [(one.text, one.code) for one in commands_of("$ a\nsaid\n$ b\n[exit code 3]\n$ c\n")] == [
        ("a", 0),
        ("b", 3),
        ("c", 0),
    ]


def test_procedures_that_the_runbook_names_are_there() -> None:
    runbook = (PROJECT / "deploy/RUNBOOK.md").read_text(encoding="utf-8")
    titles = {part.title.removeprefix("## ") for part in PARTS["PROCEDURES.md"] if part.title}
    named = set(re.findall(r'"([A-Z][a-z]+(?: [a-zA-Z]+)*)"', runbook))
    assert named, "the runbook names procedures in quotes"
    assert named <= titles
