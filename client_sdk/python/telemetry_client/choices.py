"""The stored choices of every place that concerns this user, and how one `on` or `off` reaches them.

Places: the state directory in use; this user's default places (for root the machine's); the machine's; and,
where another tree is looked at with `--root`, those of the machine that does the looking.

Invariants: an `off` in any of them counts, whatever directory a sender uses, so `off` is written to all that
are this user's; an `on` counts in the directory in use alone, because it may have been meant for one product.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Iterator, List, NamedTuple, Tuple

from telemetry_client.lock import WAIT_FOR_SENDER_SECONDS, only_sender
from telemetry_client.outbox import Outbox
from telemetry_client.ownership import NOT_ALONE
from telemetry_client.state import SYSTEM_DIRECTORY, Choice, State, default_directories

if TYPE_CHECKING:
    from telemetry_client.machine import Machine


class Chosen(NamedTuple):
    """What became of an `on` or `off`.

    stored, lifted: files that now say it, and files with an older off that are gone. failed: files and why they
    could not be written. forgotten: how many waiting reports were deleted. reaches_all: whether an off is now in
    the place that every sender of this user reads.
    """

    stored: Tuple[str, ...] = ()
    lifted: Tuple[str, ...] = ()
    failed: Tuple[str, ...] = ()
    forgotten: int = 0
    reaches_all: bool = False


class Choices:
    """All places, looked at from the state directory in use."""

    def __init__(self, machine: Machine, used: State) -> None:
        defaults = default_directories(machine)
        systems = (each.path(SYSTEM_DIRECTORY) for each in machine.all_that_may_forbid())
        self.used = used
        # The last one needs no variable but HOME.
        self.read_by_all = defaults[-1] if defaults else ""
        self.defaults = tuple(State(place) for place in _others(defaults, [used.directory]))
        self.machines = tuple(State(place) for place in _others(systems, [used.directory, *defaults]))

    @property
    def own(self) -> Tuple[State, ...]:
        """The places that are this user's: the one in use, and the default ones."""
        return tuple(place for place in (self.used, *self.defaults) if place.directory)

    @property
    def read(self) -> Tuple[State, ...]:
        """Every place that a sender of this user looks into."""
        return (*self.own, *self.machines)

    def stored(self) -> Tuple[Choice, ...]:
        """What is stored, the place in use first."""
        found = [self.used.choice()]
        found += [place.choice(is_own=False) for place in (*self.defaults, *self.machines)]
        return tuple(choice for choice in found if choice is not None)

    def switch_off(self, now: float) -> Chosen:
        """Forbids it in every place of this user, and forgets what waits there."""
        places = self.own or (self.used,)
        stored: List[str] = []
        failed: List[str] = []
        for place in places:
            try:
                place.choose(is_on=False, now=now)
                stored.append(place.path("consent"))
            except OSError as error:
                failed.append(_failure(place, error))
        forgotten = self.forget_waiting(places)
        reaches_all = any(_is_same(os.path.dirname(path), self.read_by_all) for path in stored)
        return Chosen(tuple(stored), (), tuple(failed), forgotten, reaches_all)

    def forget_waiting(self, places: Tuple[State, ...]) -> int:
        """Deletes what waits, and again once a sender that is at work is done; how many reports that were.

        Called once the off is stored: a sender asks once more before anything leaves, and before it is kept.
        """
        forgotten = sum(Outbox(place.path("outbox")).clear() for place in places)
        until = time.monotonic() + WAIT_FOR_SENDER_SECONDS
        for place in places:
            with only_sender(place.directory, until - time.monotonic(), makes=False):
                forgotten += Outbox(place.path("outbox")).clear()
        return forgotten

    def switch_on(self, now: float) -> Chosen:
        """Allows it in the place in use, and lifts this user's own offs, which would win over it.

        A second `on` changes nothing: what waits since the first was made with consent.
        """
        current = self.used.choice()
        offs = [place for place in self.defaults if _says_off(place)]
        stored = (self.used.path("consent"),)
        if current is not None and current.is_on and not offs:
            return Chosen(stored)
        forgotten = Outbox(self.used.path("outbox")).clear()
        try:
            self.used.choose(is_on=True, now=now)
        except OSError as error:
            return Chosen((), (), (_failure(self.used, error),), forgotten)
        # Lifted last: where something fails on the way, the off is what is left.
        for place in offs:
            with contextlib.suppress(OSError):
                place.forget_choice()
        lifted = tuple(place.path("consent") for place in offs if not _says_off(place))
        return Chosen(stored, lifted, (), forgotten)


def _is_same(one: str, other: str) -> bool:
    return bool(one and other) and os.path.realpath(one) == os.path.realpath(other)


def _says_off(place: State) -> bool:
    choice = place.choice()
    return choice is not None and not choice.is_on


def _failure(place: State, error: OSError) -> str:
    why = error.strerror or str(error)
    if why == NOT_ALONE:
        return f"{place.path('consent')} is {NOT_ALONE}"
    return f"{place.path('consent')}: {why}" if place.directory else why


def _others(places: Iterator[str] | Tuple[str, ...], known: List[str]) -> Iterator[str]:
    """Each of `places` once, without those that are known; two spellings of one directory are one place."""
    seen = {os.path.realpath(place) for place in known if place}
    for place in places:
        if os.path.realpath(place) not in seen:
            seen.add(os.path.realpath(place))
            yield place
