"""Every client as a black box: a name and a command line. All that the suite knows of a client is here.

A further client is one more entry in `CLIENTS`. Those that are `thorough` meet every case; the others, which are
the same program under another interpreter, meet one case in eighteen, each of them different ones. With the variable
CONFORMANCE=all every client meets every case. An interpreter that is not there skips its cases by name, or fails
them where REQUIRE_ALL=1.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.client.conformance.differences import DIFFERENCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.client.clouds import InCloud

SDK = Path(__file__).parents[3] / "client_sdk"
SHELL = str(SDK / "shell/telemetry-client")
TCL = str(SDK / "tcl/telemetry.tcl")
_SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_EVERY = 18
_MOST_SECONDS = 40
_ERRORS = {"closed": 'exec "$@" 2>&-', "full": 'exec "$@" 2>/dev/full'}


@dataclass(frozen=True, eq=False)
class Client:
    """One client under one interpreter.

    needs: files and programs without which it cannot run. preloaded: a program that runs it many times.
    of_interpreter: lines that the interpreter itself prints to the standard error, before the client's first.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_thorough: bool = False
    preloaded: tuple[str, ...] = ()
    of_interpreter: str = ""

    def lacks(self) -> str:
        """What is not there and is needed; empty where it can run."""
        return ", ".join(each for each in self.needs if not shutil.which(each) and not Path(each).exists())


CLIENTS = (
    Client(
        "python",
        (sys.executable, "-W", "error", "-m", "telemetry_client"),
        (),
        {"PYTHONPATH": str(SDK / "python")},
        is_thorough=True,
        preloaded=(sys.executable, "-W", "error", str(Path(__file__).parent / "preloaded.py")),
    ),
    Client("dash", ("dash", SHELL), ("dash", SHELL), is_thorough=True),
    Client(
        "bash",
        ("bash", "--posix", SHELL),
        ("bash", SHELL),
        # Where LC_ALL names a locale that this machine has not got.
        of_interpreter=r"bash: warning: setlocale: LC_ALL: .*\n",
    ),
    Client("busybox", ("busybox", "ash", SHELL), ("busybox", SHELL)),
    Client("tcl", ("tclsh", TCL), ("tclsh", TCL)),
)


class Preloaded:
    """One running program that runs a client again and again."""

    def __init__(self, client: Client) -> None:
        self._process = subprocess.Popen(
            client.preloaded,
            env={"PATH": _SEARCHED, **client.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, place: Place, arguments: list[str | bytes], environment: Mapping[str, str | bytes], stdin: bytes
    ) -> Ran:
        """Runs one command."""
        files = [place.put(place.base / name, content) for name, content in (("in", stdin), ("out", b""), ("err", b""))]
        command = {
            "arguments": [os.fsdecode(each) for each in arguments],
            "environment": {name: os.fsdecode(value) for name, value in environment.items()},
            "directory": str(place.current),
            "files": [str(file) for file in files],
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        out, err = (file.read_bytes() for file in files[1:])
        for file in files:
            file.unlink()
        return Ran(code, out.decode(), err.decode(errors="backslashreplace"))

    def end(self) -> None:
        """Ends the program."""
        self._process.communicate()


@functools.cache
def preloaded(client: Client) -> Preloaded:
    """The running program for this client, started when it is first needed."""
    running = Preloaded(client)
    RUNNING.append(running)
    return running


RUNNING: list[Preloaded] = []


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """The one JSON object on the standard output."""
        told = json.loads(self.out)
        assert isinstance(told, dict)
        return told


@dataclass(frozen=True)
class Place:
    """The directories of one test: a fake `/`, a state directory, a home, a TMPDIR and a current directory.

    starts_fresh: each command is a process of its own, also of a client that can be preloaded.
    """

    base: Path
    starts_fresh: bool = True

    def __post_init__(self) -> None:
        for directory in (self.root, self.home, self.temporary, self.current):
            directory.mkdir()

    @property
    def root(self) -> Path:
        return self.base / "root"

    @property
    def state(self) -> Path:
        return self.base / "state"

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def temporary(self) -> Path:
        return self.base / "temporary"

    @property
    def current(self) -> Path:
        return self.base / "current"

    @property
    def machine(self) -> Path:
        """Where the machine's own choice is stored."""
        return self.root / "var/lib/telemetry-client"

    @property
    def default(self) -> Path:
        """Where this user's state is if nothing says otherwise."""
        return self.machine if os.geteuid() == 0 else self.home / ".local/state/telemetry-client"

    def fill(self, text: str) -> str:
        """`text` with the names of these directories in it."""
        for name in ("root", "state", "home", "machine", "default"):
            text = text.replace(f"{{{name}}}", str(getattr(self, name)))
        return text

    def put(self, path: Path, content: str | bytes) -> Path:
        """Writes a file, and the directories above it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def in_root(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    def run(
        self,
        client: Client,
        *arguments: str | bytes,
        environment: Mapping[str, str | bytes] | None = None,
        stdin: bytes | int = b"",
        where: Iterable[str] | None = None,
        standard_error: str = "",
        inside: InCloud | None = None,
        beside: bool = False,
    ) -> Ran:
        """Runs one command of `client` in an environment that holds nothing unasked.

        where: instead of `--root` and `--state-dir` of this place. standard_error: `closed`, `full` (no room for a
        byte), or read. inside: a cloud to run it in. stdin: bytes, or a descriptor. beside: another one runs in this
        place, so that files of its work lie there.
        """
        places = ("--root", str(self.root), "--state-dir", str(self.state)) if where is None else where
        command, *rest = arguments
        clean = {"PATH": _SEARCHED, "HOME": str(self.home), "TMPDIR": str(self.temporary)}
        all_arguments = [command, *places, *rest]
        variables = {**clean, **client.environment, **(environment or {})}
        if client.preloaded and isinstance(stdin, bytes) and not (self.starts_fresh or standard_error or inside):
            ran = preloaded(client).run(self, all_arguments, variables, stdin)
        else:
            redirected = ("sh", "-c", _ERRORS[standard_error], "sh") if standard_error else ()
            run = inside.run if inside else functools.partial(subprocess.run, check=False, capture_output=True)
            done = run(
                [*redirected, *client.command, *all_arguments],
                env=variables,
                cwd=self.current,
                **({"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}),
                text=False,
                timeout=_MOST_SECONDS,
            )
            errors = done.stderr.decode(errors="backslashreplace")
            if client.of_interpreter:
                errors = re.sub(client.of_interpreter, "", errors)
            ran = Ran(done.returncode, done.stdout.decode(), errors)
        left = [*self.temporary.iterdir(), *self.current.iterdir()]
        # One in the background is still at work.
        if "--background" not in rest:
            left += self.state.glob("**/.telemetry-*")
        left = [] if beside else left
        assert not left, f"left behind by {client.name}: {left}"
        return ran

    def tell(self, client: Client, *arguments: str | bytes, **options: Any) -> dict[str, Any]:
        """The JSON that a command prints; it must end well and complain about nothing."""
        ran = self.run(client, *arguments, "--format", "json", **options)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.told

    def bodies(self) -> list[str]:
        """The bodies in the outbox, oldest first."""
        return [json.loads(path.read_bytes())["body"] for path in self.waiting()]

    def waiting(self) -> list[Path]:
        """The files in the outbox."""
        return sorted((self.state / "outbox").glob("*.json"))

    def sent(self) -> list[dict[str, Any]]:
        """The lines of `sent`."""
        file = self.state / "sent"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def each(suite: str, cases: Mapping[str, Any]) -> list[Any]:
    """The parameters (client, case) of a test: every client with all its cases."""
    return [
        pytest.param(client, cases[name], id=f"{client.name}-{name}", marks=_marks(client, suite, name))
        for position, client in enumerate(CLIENTS)
        for name in _share(client, position, list(cases))
    ]


def alone(suite: str, *, thorough: bool = False) -> list[Any]:
    """The parameters (client) of a test: every client, or the thorough ones alone."""
    return [
        pytest.param(client, id=client.name, marks=_marks(client, suite, ""))
        for client in CLIENTS
        if client.is_thorough or not thorough or wants_all()
    ]


def pairs(suite: str) -> list[Any]:
    """The parameters (client, other) of a test: two clients that are not the same, in both orders."""
    return [
        pytest.param(one, other, id=f"{one.name}-{other.name}", marks=_marks(one, suite, "") + _marks(other, suite, ""))
        for one in CLIENTS
        for other in CLIENTS
        if one is not other and (one.is_thorough or other.is_thorough)
    ]


def wants_all() -> bool:
    return os.environ.get("CONFORMANCE") == "all"


def _share(client: Client, position: int, names: list[str]) -> Iterator[str]:
    for number, name in enumerate(names):
        if client.is_thorough or wants_all() or number % _EVERY == position or _differs(client, "", name):
            yield name


def _differs(client: Client, suite: str, name: str) -> bool:
    return any(
        client.name in known.clients and (not suite or known.suite == suite) and name in known.cases
        for known in DIFFERENCES
    )


def _marks(client: Client, suite: str, name: str) -> list[pytest.MarkDecorator]:
    lacking = client.lacks()
    if lacking and os.environ.get("REQUIRE_ALL") != "1":
        return [pytest.mark.skip(reason=f"{client.name} is not tested, for want of {lacking}")]
    return [
        pytest.mark.xfail(strict=True, reason=f"{known.clause}: {known.reason}")
        for known in DIFFERENCES
        if client.name in known.clients and known.suite == suite and name in known.cases
    ]
