"""What this client remembers, in one directory that may be missing or unwritable.

    consent       choice = on|off, chosen_at = seconds since 1970      0644
    notice        shown_at = seconds; the notice was shown             0644
    stopped       version = 1; the collector told this version to stop 0644
    not-before    url = ..., not_before = seconds; "come back later"   0600
    outbox/       reports that wait, see outbox.py                     0700

All are KEY=value lines. A choice that is there and cannot be read counts as off. Nothing else here may
stop a send: what cannot be written is not remembered, and that is all.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import TYPE_CHECKING, Mapping, NamedTuple, Optional

from telemetry_client.assignments import last_values
from telemetry_client.durable_file import write_durably
from telemetry_client.version import CLIENT_VERSION

if TYPE_CHECKING:
    from telemetry_client.machine import Machine

SYSTEM_DIRECTORY = "/var/lib/telemetry-client"
MAX_WAIT_SECONDS = 24 * 3600
_MAX_STATE_FILE_BYTES = 64 * 1024


class Choice(NamedTuple):
    """A stored choice, where it is stored, and whether it is this user's own or the machine's."""

    is_on: bool
    chosen_at: int
    origin: str
    is_own: bool


def state_directory(machine: Machine, given: str = "") -> str:
    """As given, TELEMETRY_STATE_DIR, the machine's for root, else the user's; empty without a home."""
    environ = machine.environ
    stated = given or environ.get("TELEMETRY_STATE_DIR", "")
    if stated:
        return os.path.abspath(stated)
    if machine.is_root:
        return machine.path(SYSTEM_DIRECTORY)
    base = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(base):
        return os.path.join(base, "telemetry-client")
    if machine.system == "win32":
        local = environ.get("LOCALAPPDATA", "")
        return os.path.join(local, "telemetry-client") if local else ""
    home = environ.get("HOME", "")
    return os.path.join(home, ".local", "state", "telemetry-client") if os.path.isabs(home) else ""


class State:
    """The state directory. Reading never raises; of the writers only `choose` does."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, name: str) -> str:
        """Where the file `name` lies; without a state directory nowhere, not in the current one."""
        return os.path.join(self.directory, name) if self.directory else ""

    def choice(self, *, is_own: bool = True) -> Optional[Choice]:
        """The stored choice; None where nobody has chosen."""
        if not self.directory or not os.path.lexists(self.path("consent")):
            return None
        values = self._read("consent")
        is_on = values.get("choice") == "on"
        return Choice(is_on, _seconds(values.get("chosen_at", "")), self.path("consent"), is_own)

    def choose(self, *, is_on: bool, now: float) -> None:
        """Stores the choice. Raises OSError where it cannot: a person must know that it did not hold."""
        self._write("consent", f"choice = {'on' if is_on else 'off'}\nchosen_at = {int(now)}\n", 0o644)

    def notice_was_shown(self) -> bool:
        """Whether the notice came before, on this machine or for this user."""
        return "shown_at" in self._read("notice")

    def remember_notice(self, now: float) -> None:
        """The notice is shown once, so it is remembered."""
        self._try_write("notice", f"shown_at = {int(now)}\n", 0o644)

    def is_stopped(self) -> bool:
        """Whether a collector told this version of the client to stop."""
        return self._read("stopped").get("version") == CLIENT_VERSION

    def stop(self) -> bool:
        """Remembers that; False where it cannot be remembered."""
        return self._try_write("stopped", f"version = {CLIENT_VERSION}\n", 0o644)

    def seconds_to_wait(self, url: str, now: float) -> float:
        """How long the collector at `url` still wants to be left alone; 0 when it may be asked."""
        values = self._read("not-before")
        if values.get("url") != url:
            return 0.0
        left = _seconds(values.get("not_before", "")) - now
        # Longer than the cap means that the clock was set back since.
        return left if 0 < left <= MAX_WAIT_SECONDS else 0.0

    def wait(self, url: str, seconds: float, now: float) -> None:
        """Remembers a Retry-After, at most a day of it."""
        until = int(now + min(max(seconds, 0.0), MAX_WAIT_SECONDS))
        self._try_write("not-before", f"url = {shlex.quote(url)}\nnot_before = {until}\n", 0o600)

    def _read(self, name: str) -> Mapping[str, str]:
        try:
            with open(self.path(name), "rb") as file:
                return last_values(file.read(_MAX_STATE_FILE_BYTES).decode("utf-8", errors="replace"))
        except OSError:
            return {}

    def _write(self, name: str, text: str, mode: int) -> None:
        if not self.directory:
            raise FileNotFoundError("there is no home directory to keep the state in")
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        write_durably(self.path(name), text.encode("utf-8"), mode)

    def _try_write(self, name: str, text: str, mode: int) -> bool:
        with contextlib.suppress(OSError):
            self._write(name, text, mode)
            return True
        return False


def _seconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
