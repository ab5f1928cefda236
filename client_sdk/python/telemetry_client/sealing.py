"""The last step of an image's build: nothing of the build machine stays, and nothing is sent before the next boot.

    sealed    boot = BOOT; while that boot runs, every sender that reads the place sends nothing    0644

Invariant: a stored "off" stays, because whoever said it did not say it for one machine only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, List, NamedTuple, Tuple

from telemetry_client.durable_file import TEMPORARY_PREFIX
from telemetry_client.last_send import LAST_SEND_FILE

if TYPE_CHECKING:
    from telemetry_client.choices import Choices
    from telemetry_client.state import State

IS_SEALED = "this image is sealed; nothing is sent before the next boot"
_FILE = "sealed"
_FORGOTTEN = ("sent", "not-before", "stopped", "notice", "today", "last-boot", LAST_SEND_FILE)


class Sealing(NamedTuple):
    """What became of a `seal`.

    sealed: files that hold reports back. offs: stored offs that stay. failed: what could not be removed or written.
    """

    sealed: Tuple[str, ...]
    offs: Tuple[str, ...]
    failed: Tuple[str, ...]


def is_sealed(choices: Choices, boot: str) -> bool:
    """Whether a place that a sender of this user reads was sealed in this boot."""
    return bool(boot) and any(place.values(_FILE).get("boot") == boot for place in choices.read)


def seal(choices: Choices, boot: str) -> Sealing:
    """Empties this user's places, and seals them where a boot is known."""
    sealed: List[str] = []
    offs: List[str] = []
    failed: List[str] = []
    # First sealed, then emptied: a sender that is at work asks once more before each report.
    for place in choices.own:
        done = place.try_write(_FILE, f"boot = {boot}\n", 0o644) if boot else place.remove(_FILE)
        if boot or not done:
            (sealed if done else failed).append(place.path(_FILE))
    for place in choices.own:
        _empty(place)
    choices.forget_waiting(choices.own)
    for place in choices.own:
        failed += _empty(place)
        choice = place.choice()
        if choice is not None and not choice.is_on:
            offs.append(place.path("consent"))
        elif not place.remove("consent"):
            failed.append(place.path("consent"))
    return Sealing(tuple(sealed), tuple(offs), tuple(failed))


def _empty(place: State) -> List[str]:
    """Removes what a build leaves behind; what could not be removed."""
    left = [place.path(name) for name in _FORGOTTEN if not place.remove(name)]
    for name in _temporary(place.directory):
        place.remove(name)
    outbox = place.path("outbox")
    if os.path.islink(outbox):
        return left if place.remove("outbox") else [*left, outbox]
    if os.path.isdir(outbox):
        import shutil  # noqa: PLC0415 - only here

        shutil.rmtree(outbox, ignore_errors=True)
    return [*left, outbox] if os.path.lexists(outbox) else left


def _temporary(directory: str) -> List[str]:
    try:
        return [name for name in os.listdir(directory) if name.startswith(TEMPORARY_PREFIX)]
    except OSError:
        return []
