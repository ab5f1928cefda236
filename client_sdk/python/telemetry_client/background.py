"""Sending beside the caller: a process of its own session, with none of the caller's files open.

Invariants: the caller is left with no child to wait for; licence key and facts are in no argument and no variable
of a process; whatever the network does, the process ends when its time is up.

POSIX: two forks, so that the process is nobody's child. Elsewhere: a detached process that reads what it is to
do from its standard input.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Callable, List, NoReturn

if TYPE_CHECKING:
    from telemetry_client.facts import Given

# How long beyond its time a process may take to tidy up, before it is ended.
_GRACE_SECONDS = 0.8
_DETACHED_PROCESS = 0x00000008
_NEW_PROCESS_GROUP = 0x00000200
_LAST_RESORT_DESCRIPTORS = 4096


@dataclass(frozen=True, repr=False)
class Task:
    """What a detached process is to send, and with which settings. Without a repr: a licence key may be in it."""

    given: Given
    url: str
    state_dir: str
    config: str
    root: str
    seconds: float


def leave_behind(work: Callable[[], object], seconds: float) -> bool:
    """Runs `work` in a process that is nobody's child, for `seconds` at most; False where there is no room for one.

    Only where `os.fork` is, and only in a process of one thread.
    """
    try:
        child = os.fork()
    except OSError:
        return False
    if child == 0:
        _become_orphan(work, seconds)
    try:
        _pid, status = os.waitpid(child, 0)
    except ChildProcessError:
        return True  # the caller told the system to take its children away by itself
    return status == 0


def start_detached(task: Task) -> bool:
    """Does `task` in a detached process, where there is no `os.fork`; False where it could not be started."""
    parent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environ = {name: value for name, value in os.environ.items() if name != "TELEMETRY_LICENSE_KEY"}
    environ["PYTHONPATH"] = parent
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "telemetry_client.background"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environ,
            close_fds=True,
            start_new_session=True,
            creationflags=_DETACHED_PROCESS | _NEW_PROCESS_GROUP if sys.platform == "win32" else 0,
        )
        if process.stdin is not None:
            with process.stdin:
                process.stdin.write(json.dumps(asdict(task)).encode("ascii"))
    except OSError:
        return False
    # Nobody waits for it: not a mistake here, and not worth a warning when this process ends first.
    process.returncode = 0
    return True


def _become_orphan(work: Callable[[], object], seconds: float) -> NoReturn:
    """In the first child: the second one works, and this one ends at once."""
    code = 1
    try:
        os.setsid()
        if os.fork() == 0:
            _end_in_time(seconds)
            _let_go_of_files()
            work()
        code = 0
    except BaseException:  # noqa: BLE001 - nobody is there to be told
        code = 1
    finally:
        # Not sys.exit: what the caller left in its buffers is the caller's to write.
        os._exit(code)


def _end_in_time(seconds: float) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)


def _let_go_of_files() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    for descriptor in _open_descriptors():
        if descriptor > 2:  # noqa: PLR2004 - the three that everybody has
            try:
                os.close(descriptor)
            except OSError:
                continue  # the one that listed them


def _open_descriptors() -> List[int]:
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            return [int(name) for name in os.listdir(directory)]
        except (OSError, ValueError):
            continue
    return list(range(_LAST_RESORT_DESCRIPTORS))


def _do(told: str) -> None:
    """In a detached process: what `start_detached` wrote."""
    from telemetry_client.deadline import Deadline  # noqa: PLC0415
    from telemetry_client.facts import Given  # noqa: PLC0415
    from telemetry_client.opening import open_here  # noqa: PLC0415

    task = json.loads(told)
    client = open_here(root=task["root"], state_dir=task["state_dir"], url=task["url"], image_file=task["config"])
    client.send(Given(**task["given"]), Deadline(task["seconds"]))


if __name__ == "__main__":
    try:
        _do(sys.stdin.read())
    except Exception:  # noqa: BLE001 - nobody is there to be told
        sys.exit(1)
