"""The system calls that a program really makes, as the kernel saw them: strace, run and read.

No switch in the program's code takes part. Calls are numbered in the order of their lines in the trace, and
a call has two numbers, because another thread may be in between: where it `began` and where it `ended`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.conftest import missing

_LINE = re.compile(r"(\d+) +(.*)")
_WHOLE = re.compile(r"(\w+)\((.*)\) += (-?\w+)(.*)")
_BEGUN = re.compile(r"(\w+)\((.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)\) += (-?\w+)(.*)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"(-?\w+)<((?:\\x[0-9a-f]{2})*)>")
_TAKE_NAMES = ("open", "creat", "mkdir", "rmdir", "rename", "unlink", "link", "symlink", "truncate")


@dataclass
class Call:
    """One system call of a trace."""

    thread: int
    name: str
    began: int
    arguments: str
    ended: int | None = None  # None: the process was killed in it
    result: int | None = None
    error: str = ""
    returned: str = field(default="", repr=False)

    @cached_property
    def strings(self) -> list[bytes]:
        """The strings and buffers among the arguments."""
        return [_bytes(found) for found in _STRING.findall(self.arguments)]

    @cached_property
    def content(self) -> bytes:
        """What was read or written: as much of the buffers as the call says it took."""
        return b"".join(self.strings)[: max(self.result or 0, 0)]

    @cached_property
    def descriptors(self) -> list[str]:
        """The files behind the descriptors among the arguments."""
        return [_bytes(path).decode() for _, path in _DESCRIPTOR.findall(self.arguments)]

    @cached_property
    def paths(self) -> list[str]:
        """The paths that the call is given by name, made absolute; none if it takes descriptors only."""
        if not self.name.startswith(_TAKE_NAMES):
            return []
        at = self.descriptors or [""]
        names = [name.decode() for name in self.strings]
        return [os.path.normpath(Path(at[min(n, len(at) - 1)], name)) for n, name in enumerate(names)]

    @property
    def succeeded(self) -> bool:
        return self.result is not None and self.result >= 0


def command(trace: Path, calls: Sequence[str], *options: str) -> list[str]:
    """The words to put before a program's own; skips the test where strace is missing.

    Args:
        trace: the file that will hold the trace.
        calls: which calls to record.
        options: more of strace's, such as `-e inject=...`.
    """
    if shutil.which("strace") is None:
        missing("strace is not installed")
    every = ["strace", "-f", "-qq", "-xx", "-y", "-s", "16777216", "-o", str(trace)]
    if not any("signal=" in option for option in options):
        every.append("--seccomp-bpf")  # quicker, but no signal is injected with it
    return [*every, "-e", f"trace={','.join(calls)}", "-e", "signal=none", *options]


def read(trace: Path) -> list[Call]:
    """The calls of a trace, in the order in which they began."""
    return list(_calls(trace))


def _calls(trace: Path) -> Iterator[Call]:
    under_way: dict[int, Call] = {}
    found: list[Call] = []
    for number, line in enumerate(trace.read_text("ascii").splitlines()):
        if not (parts := _LINE.fullmatch(line)):
            continue
        thread, text = int(parts[1]), parts[2]
        if begun := _BEGUN.fullmatch(text):
            under_way[thread] = Call(thread, begun[1], number, begun[2])
            found.append(under_way[thread])
        elif resumed := _RESUMED.fullmatch(text):
            call = under_way.pop(thread)
            call.arguments += resumed[2]
            _end(call, number, resumed[3], resumed[4])
        elif whole := _WHOLE.fullmatch(text):
            call = Call(thread, whole[1], number, whole[2])
            _end(call, number, whole[3], whole[4])
            found.append(call)
    yield from found


def _end(call: Call, number: int, result: str, rest: str) -> None:
    if result == "?":
        return
    call.ended = number
    call.result = int(result, 0)
    call.error = rest.split(maxsplit=1)[0] if call.result < 0 and rest.strip() else ""


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
