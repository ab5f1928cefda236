"""What this client remembers, in one directory that may be missing or unwritable.

    consent       choice = on|off, chosen_at = seconds since 1970      0644
    notice        shown_at = seconds; the notice was shown             0644
    stopped       version = 1; the collector told this version to stop 0644
    sealed        boot = ...; the image was sealed in it, see seal.py  0644
    last-boot     boot = ...; that was reported, see limits.py         0644
    today         day = ..., reports = ...; how many were made         0644
    not-before    when the collector may be asked again, see pause.py  0600
    sent          the last ten bodies, see sent.py                     0600
    last-send     what the last send said, see last_send.py            0600
    lock          nothing: whoever sends holds it, see lock.py         0600
    outbox/       reports that wait, see outbox.py                     0700

All but `sent`, `lock` and the outbox are KEY=value lines. A choice that is there and cannot be read counts as off,
and so does one in a directory that this user may not look into. Nothing else here may stop a send: what cannot be
written is not remembered, and that is all.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Mapping, NamedTuple, Optional, Tuple

from telemetry_client.assignments import last_values, read_assignments
from telemetry_client.durable_file import set_mode, write_durably
from telemetry_client.ownership import NOT_ALONE, directory_is_alone, is_alone
from telemetry_client.text import is_number, read_text
from telemetry_client.version import CLIENT_VERSION

if TYPE_CHECKING:
    from telemetry_client.machine import Machine

SYSTEM_DIRECTORY = "/var/lib/telemetry-client"
_MOST_DIGITS = 12


class Choice(NamedTuple):
    """A stored choice and where it is stored.

    is_own: whether it is from the state directory in use; an "on" from elsewhere does not count. is_foreign: it
    says on, and somebody else may have written that.
    """

    is_on: bool
    chosen_at: int
    origin: str
    is_own: bool
    is_readable: bool = True
    is_foreign: bool = False


def state_directory(machine: Machine, given: str = "") -> str:
    """As given, TELEMETRY_STATE_DIR, the machine's for root, else the user's; empty without a home."""
    stated = given or machine.environ.get("TELEMETRY_STATE_DIR", "")
    if stated:
        return os.path.abspath(stated)
    return next(iter(default_directories(machine)), "")


def default_directories(machine: Machine) -> Tuple[str, ...]:
    """Where this user's choice is looked for whatever a sender's own directory is; the usual one first.

    XDG_STATE_HOME adds a place and takes none away: a service has not got the variables of a login shell.
    """
    if machine.is_root:
        system = machine.path(SYSTEM_DIRECTORY)
        return () if machine.leads_outside(system) else (system,)
    bases = [machine.environ.get("XDG_STATE_HOME", "")]
    if machine.system == "win32":
        bases.append(machine.environ.get("LOCALAPPDATA", ""))
    else:
        homes = (home for home in (machine.environ.get("HOME", ""), machine.home) if os.path.isabs(home))
        bases.append(os.path.join(next(homes, ""), ".local", "state"))
    return tuple(os.path.join(base, "telemetry-client") for base in bases if os.path.isabs(base))


class State:
    """The state directory. Reading never raises; of the writers only `choose` does."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, name: str) -> str:
        """Where the file `name` lies; without a state directory nowhere, not in the current one."""
        return os.path.join(self.directory, name) if self.directory else ""

    def choice(self, *, is_own: bool = True) -> Optional[Choice]:
        """The stored choice; None where nobody has chosen."""
        try:
            # Not os.path.exists: it calls a root's "off" missing that this user may not see.
            os.lstat(self.path("consent"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except OSError:
            return Choice(False, 0, self.path("consent"), is_own, is_readable=False)
        lines = list(read_assignments(self.text("consent")))
        chosen = [line.value for line in lines if line.key == "choice"]
        # One line that is broken or says off is enough for off.
        says_on = bool(chosen) and all(line.key for line in lines) and all(value == "on" for value in chosen)
        is_on = says_on and is_alone(self.path("consent"))
        values = {line.key: line.value for line in lines}
        chosen_at = whole_number(values.get("chosen_at", ""))
        return Choice(is_on, chosen_at, self.path("consent"), is_own, is_foreign=says_on and not is_on)

    def choose(self, *, is_on: bool, now: float) -> None:
        """Stores the choice. Raises OSError where it cannot: a person must know that it did not hold."""
        if is_on:
            self._make()
            if self.directory and not directory_is_alone(self.directory):
                raise PermissionError(errno.EPERM, NOT_ALONE)
        self._write("consent", f"choice = {'on' if is_on else 'off'}\nchosen_at = {int(now)}\n", 0o644)

    def forget_choice(self) -> None:
        """Back to nobody having chosen here. Raises OSError where the choice stays."""
        os.unlink(self.path("consent"))

    def notice_was_shown(self) -> bool:
        """Whether the notice came before, on this machine or for this user."""
        return "shown_at" in self.values("notice")

    def remember_notice(self, now: float) -> None:
        """The notice is shown once, so it is remembered."""
        self.try_write("notice", f"shown_at = {int(now)}\n", 0o644)

    def is_stopped(self) -> bool:
        """Whether a collector told this version of the client to stop."""
        return self.values("stopped").get("version") == CLIENT_VERSION

    def stop(self) -> bool:
        """Remembers that; False where it cannot be remembered."""
        return self.try_write("stopped", f"version = {CLIENT_VERSION}\n", 0o644)

    def values(self, name: str) -> Mapping[str, str]:
        """The assignments in the file `name`; none where it is missing or cannot be read."""
        return last_values(self.text(name))

    def text(self, name: str) -> str:
        """The text of the file `name`; empty where it is missing or cannot be read."""
        return read_text(self.path(name)) or ""

    def try_write(self, name: str, text: str, mode: int) -> bool:
        """Writes the file `name` whole; False where it cannot be written."""
        with contextlib.suppress(OSError):
            self._write(name, text, mode)
            return True
        return False

    def remove(self, name: str) -> bool:
        """Deletes the file `name`; False where it is still there."""
        try:
            os.unlink(self.path(name))
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return True

    def try_make(self) -> None:
        """Makes the directory where it is missing and can be made."""
        with contextlib.suppress(OSError):
            self._make()

    def _write(self, name: str, text: str, mode: int) -> None:
        if not self.directory:
            raise FileNotFoundError("there is no home directory to keep the state in")
        self._make()
        write_durably(self.path(name), text.encode("utf-8"), mode)

    def _make(self) -> None:
        if self.directory and not os.path.isdir(self.directory):
            os.makedirs(self.directory, exist_ok=True)
            # Whatever the umask: root's "off" is for everybody to see. What is private has its own mode.
            set_mode(self.directory, 0o755)


def whole_number(text: str) -> int:
    """The number that `text` is; 0 where it is none, or longer than any time or count here."""
    return int(text) if is_number(text) and len(text) <= _MOST_DIGITS else 0
