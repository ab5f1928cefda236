"""Does what PROCEDURES.md and RIGHTS.md in deploy say, in their order, on a Debian that systemd booted for each page.

    python -m tests.systemd.procedures [--write] [--page RIGHTS.md] [--until "Title"]

Compares or writes the answers. In a page a block ```console holds commands, each on a line that begins with `$ `, and
what each answered; a line `[exit code 1]` behind that says that the command is meant to fail. A comment `<!-- trial`
... `-->` is what the trial does before the next block: the fault, or the data, that the procedure is for. The run ends
with what went otherwise.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.clickhouse_server import FOR_EVER, library
from tests.conftest import PROJECT
from tests.systemd.server_tree import Machine, booted, build_wheel, clean_tree, wheels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.images.debian_tree import Tree

PAGES = {name: PROJECT / "deploy" / name for name in ("PROCEDURES.md", "RIGHTS.md")}
_PART = re.compile(r"^(## [^\n]+)$|^<!-- trial\n(.*?)\n-->$|^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FAILED = re.compile(r"^\[exit code (\d+)\]$")
# What a newer version might bring; nothing reads it.
_NEW_TABLE = "CREATE TABLE IF NOT EXISTS private.of_a_newer_version (a UInt8) ENGINE = MergeTree ORDER BY a;\n"
_SERVER = f"""[Unit]
Description=ClickHouse server: the one inside a library, for the trial
[Service]
Environment=PYTHONPATH=/srv/stand-in
EnvironmentFile=/etc/clickhouse-server/telemetry.env
ExecStart=/usr/bin/python3 -m tests.clickhouse_server /srv/stand-in/library/libchdb.so \\
    --config-file=/etc/clickhouse-server/config.xml --path=/var/lib/clickhouse --listen_host=127.0.0.1 \\
    --http_port=8123 "--query={FOR_EVER}"
KillSignal=SIGKILL
"""
_SERVER_CONFIG = "<clickhouse><users_config>/etc/clickhouse-server/users.xml</users_config></clickhouse>"
_SERVER_USERS = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas>
<users><default><password></password><profile>default</profile><quota>default</quota>
<networks><ip>127.0.0.1</ip></networks></default></users></clickhouse>"""


class Command(NamedTuple):
    """A command of a page and the exit code that it is to end with."""

    text: str
    code: int


class Part(NamedTuple):
    """A piece of a page that the run does something with: a title, a trial, or a block of commands."""

    start: int
    end: int
    title: str
    trial: str
    commands: list[Command]


def parts(text: str) -> list[Part]:
    """What a page says to do, in order."""
    return [
        Part(found.start(), found.end(), found[1] or "", found[2] or "", commands_of(found[3] or ""))
        for found in _PART.finditer(text)
    ]


def commands_of(block: str) -> list[Command]:
    """The commands of a block."""
    found: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ "), 0))
        elif (failed := _FAILED.match(line)) and found:
            found[-1] = found[-1]._replace(code=int(failed[1]))
    return found


@contextmanager
def trial_machine(directory: Path) -> Iterator[Machine]:
    """A booted Debian with three versions of the collector to install, and a ClickHouse server to start."""
    with ExitStack() as stack:
        tree = stack.enter_context(clean_tree(directory))
        unpacked = tree.path / "srv/product-telemetry"
        made = directory / "wheels"
        made.mkdir()
        build_wheel(made, "0.1.1")
        build_wheel(made, "0.2.0", **{"collector/store/migrations/0099_of_a_newer_version.sql": _NEW_TABLE})
        for wheel in made.glob("*.whl"):
            shutil.copy(wheel, unpacked)
        _add_server(tree)
        binds = (f"--bind-ro={wheels()}:/wheels", f"--bind-ro={library().parent}:/srv/stand-in/library")
        yield stack.enter_context(booted(tree, *binds))


def _add_server(tree: Tree) -> None:
    """What Debian's package of a server would bring, as far as the procedures meet it."""
    tests = tree.path / "srv/stand-in/tests"
    tests.mkdir(parents=True)
    (tree.path / "srv/stand-in/library").mkdir()
    for name in ("__init__.py", "clickhouse_server.py", "npm_package.py"):
        shutil.copy(PROJECT / "tests" / name, tests)
    for part in ("users.d", "config.d"):
        shutil.copytree(PROJECT / "deploy/clickhouse" / part, tree.path / "etc/clickhouse-server" / part)
    tree.write("/etc/clickhouse-server/config.xml", _SERVER_CONFIG)
    tree.write("/etc/clickhouse-server/users.xml", _SERVER_USERS)
    tree.write("/usr/lib/systemd/system/clickhouse-server.service", _SERVER)


def run(machine: Machine, text: str, until: str = "") -> tuple[str, list[str]]:
    """Does all of a page.

    Returns:
        The page with the answers of now, and what went otherwise than it says.
    """
    answered, wrong, position, title, directory = [], [], 0, "", "/"
    for part in parts(text):
        answered.append(text[position : part.start])
        position = part.end
        if part.title:
            if until and title == f"## {until}":
                return "", wrong
            title = part.title
            print(title, file=sys.stderr, flush=True)  # noqa: T201 - long work says where it is
        if part.trial:
            done = machine.run(f"set -e; cd {directory}; {part.trial}", check=False)
            if done.returncode:
                wrong.append(f"{title}: the trial's own part failed: {done.stdout[-1000:]}")
        if not part.commands:
            answered.append(text[part.start : part.end])
            continue
        lines = []
        for command in part.commands:
            done = machine.run(f"cd {directory}; {command.text}; code=$?; pwd >/run/where; exit $code", check=False)
            directory = machine.run("cat /run/where").stdout.strip()
            lines += [f"$ {command.text}", *(line.rstrip() for line in done.stdout.splitlines())]
            if done.returncode:
                lines.append(f"[exit code {done.returncode}]")
            if done.returncode != command.code:
                wrong.append(f"{title}: {command.text}\nended with {done.returncode}:\n{done.stdout[-1500:]}")
        answered.append("\n".join(["```console", *lines, "```"]))
    return "".join(answered) + text[position:], wrong


def do(page: Path, until: str, *, write: bool) -> list[str]:
    """Does a page on a machine of its own; what went otherwise than it says."""
    directory = Path(tempfile.mkdtemp(prefix="procedures-"))
    try:
        with trial_machine(directory) as machine:
            text, wrong = run(machine, page.read_text(encoding="utf-8"), until)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if write and text:
        page.write_text(text, encoding="utf-8")
    return wrong


def main() -> None:
    """Runs them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--page", action="append", choices=PAGES, help="which to do; else all")
    parser.add_argument("--write", action="store_true", help="write the answers into the page")
    parser.add_argument("--until", default="", help="the last section to do")
    options = parser.parse_args()
    wrong = [one for name in options.page or PAGES for one in do(PAGES[name], options.until, write=options.write)]
    sys.exit("\n\n".join(wrong) or None)


if __name__ == "__main__":
    main()
