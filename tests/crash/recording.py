"""From system calls to the few operations that matter for what a disk holds afterwards.

A recording follows one directory through several processes, one trace each. What happens elsewhere is left
out, but for the marks: a program under test tells how far it is by writing JSON lines to /dev/null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash.strace import Call

MARKS = "/dev/null"
CALLS = (
    *("openat", "open", "creat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir"),
    *("link", "linkat", "symlink", "symlinkat", "write", "writev", "pwrite64", "pwritev", "pwritev2"),
    *("truncate", "ftruncate", "fallocate", "copy_file_range", "sendfile", "mmap"),
    *("fsync", "fdatasync", "sync_file_range", "sync", "syncfs"),
)


@dataclass(frozen=True)
class Mark:
    """What the program said of itself."""

    said: dict[str, Any]


@dataclass(frozen=True)
class MakeDirectory:
    path: str


@dataclass(frozen=True)
class Create:
    path: str


@dataclass(frozen=True)
class Append:
    path: str
    data: bytes


@dataclass(frozen=True)
class Truncate:
    path: str
    length: int


@dataclass(frozen=True)
class Sync:
    """An fsync or fdatasync of a file or a directory; failed, nothing is known of what was written."""

    path: str
    succeeded: bool


@dataclass(frozen=True)
class Rename:
    old: str
    new: str


@dataclass(frozen=True)
class Unlink:
    path: str


Operation = Mark | MakeDirectory | Create | Append | Truncate | Sync | Rename | Unlink


def operations(calls: Iterable[Call], root: Path, ignored: Path) -> Iterator[Operation]:
    """What `calls` did under `root`, `ignored` left out, in order; fails on a call that it does not understand."""

    def inside(path: str) -> bool:
        return Path(path).is_relative_to(root) and not Path(path).is_relative_to(ignored)

    for call in calls:
        if not call.succeeded and call.name not in {"fsync", "fdatasync"}:
            continue
        if call.name == "write" and call.descriptors == [MARKS]:
            yield Mark(json.loads(call.content))
        elif any(inside(path) for path in (*call.descriptors, *call.paths)):
            yield from _operation(call)


def _operation(call: Call) -> Iterator[Operation]:
    match call.name:
        case "openat" | "open":
            if "O_CREAT" in call.arguments:
                assert "O_EXCL" in call.arguments, "the model knows new files only"
                assert "O_APPEND" in call.arguments, "the model knows appending only"
                yield Create(call.paths[0])
            assert "O_TRUNC" not in call.arguments
        case "mkdir" | "mkdirat":
            yield MakeDirectory(call.paths[0])
        case "write":
            yield Append(call.descriptors[0], call.content)
        case "ftruncate":
            yield Truncate(call.descriptors[0], int(call.arguments.rsplit(",", 1)[1]))
        case "fsync" | "fdatasync":
            yield Sync(call.descriptors[0], call.succeeded)
        case "rename" | "renameat" | "renameat2":
            yield Rename(*call.paths)
        case "unlink" | "unlinkat":
            assert "AT_REMOVEDIR" not in call.arguments
            yield Unlink(call.paths[0])
        case "mmap":
            assert "PROT_WRITE" not in call.arguments or "MAP_PRIVATE" in call.arguments
        case other:
            raise AssertionError(f"the model does not know {other}")
