"""The shells that the shell client must run in, and machines on which only some programs are."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.conftest import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CLIENT = Path(__file__).parents[3] / "client_sdk/shell/telemetry-client"
SHELLS = {"dash": ("dash",), "bash": ("bash", "--posix"), "busybox": ("busybox", "ash")}
# What the head of the client names as needed everywhere.
NEEDED = (
    *("awk", "cat", "chmod", "date", "dd", "head", "id", "ls", "mkdir"),
    *("mv", "od", "readlink", "rm", "sed", "sleep", "tr"),
)
each_shell = pytest.mark.parametrize("shell", SHELLS)


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def need(*programs: str) -> None:
    """Skips the test, by name, where a program is missing; fails it where everything is required."""
    lacking = [program for program in programs if shutil.which(program) is None]
    if lacking:
        missing(f"{', '.join(lacking)} is missing")


def directory_of(place: Path, programs: Iterable[str]) -> str:
    """A directory for PATH in which only these programs are."""
    place.mkdir(exist_ok=True)
    for program in programs:
        # busybox goes by the name that it is called with.
        found = shutil.which(program) or (shutil.which("busybox") if program == "nc" else None)
        if found is None:
            missing(f"{program} is missing")
        elif not (place / program).exists():
            (place / program).symlink_to(found)
    return str(place)


def run(
    shell: str,
    *arguments: str | bytes,
    path: str = os.defpath,
    environment: Mapping[str, str | bytes] | None = None,
    stdin: bytes = b"",
    timeout: float = 30,
) -> Ran:
    """The client in this shell, in an environment that holds nothing unasked."""
    need(SHELLS[shell][0])
    interpreter = (str(shutil.which(SHELLS[shell][0])), *SHELLS[shell][1:])
    done = subprocess.run(
        [*interpreter, str(CLIENT), *arguments],
        env={"PATH": path, "HOME": os.environ["HOME"], **(environment or {})},
        input=stdin,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode(errors="backslashreplace"))


def call(shell: str, code: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
    """Code that uses the client's functions: the client's text up to where it begins to act, then `code`."""
    need(SHELLS[shell][0])
    functions, mark, _rest = CLIENT.read_text(encoding="utf-8").partition("# == Begin ==")
    assert mark
    # A file, because no argument may be as long as the client is.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(f"{functions}\n{code}\n")
        file.flush()
        done = subprocess.run(
            [*SHELLS[shell], file.name, *arguments],
            env={"PATH": os.defpath, **(environment or {})},
            capture_output=True,
            timeout=30,
            check=False,
        )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode(errors="backslashreplace"))
