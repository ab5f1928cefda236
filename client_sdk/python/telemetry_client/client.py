"""The client as a whole: this machine, its settings, its memory; ready to show, send or choose.

Invariant: `send` makes no connection, and resolves no name, unless the decision is on.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Iterator, Mapping, NamedTuple, Optional, Union

from telemetry_client.boot import this_boot
from telemetry_client.choices import Choices, Chosen
from telemetry_client.configuration import Configuration, read_configuration
from telemetry_client.consent import Decision, Situation, decide
from telemetry_client.endpoint import Endpoint, Refused, parse_endpoint
from telemetry_client.facts import Given, collect
from telemetry_client.instance_type import ask_for_size
from telemetry_client.last_send import remember_send
from telemetry_client.limits import Limits
from telemetry_client.lock import Turn, only_sender
from telemetry_client.notice import Announce, announce_on_stderr, notice_text
from telemetry_client.outbox import Outbox
from telemetry_client.permits import INSTALLBUILDER_RUN, Permits
from telemetry_client.proxy import Proxy, UnusableProxy, find_proxy
from telemetry_client.report import Report, compose
from telemetry_client.result import Fate, Result
from telemetry_client.sealing import IS_SEALED, is_sealed

if TYPE_CHECKING:
    from telemetry_client.deadline import Deadline
    from telemetry_client.fact import Fact
    from telemetry_client.machine import Machine
    from telemetry_client.state import State

IS_BUSY = "not sent: another sender is at work here"
METADATA_SECONDS = 2.0


class Ready(NamedTuple):
    """What was decided and can be delivered: the decision is on, and address, proxy and needed facts are usable.

    is_told: the notice came, now or before.
    """

    given: Given
    report_id: str
    consented_at: int
    is_told: bool


class Obstacle(NamedTuple):
    """What keeps a report from being sent; advice: for who did not look at it so far."""

    fate: Fate
    why: str
    advice: str = ""


@dataclass(frozen=True)
class Client:
    """Everything that is fixed for one command or one call.

    now: seconds since 1970. url, image_file: as the caller states them. answer: a person's answer to the product's
    own question. announce: shows the notice to a person and says whether it could.
    """

    machine: Machine
    permits: Permits
    configuration: Configuration
    state: State
    now: float
    url: str = ""
    image_file: str = ""
    answer: Optional[bool] = None
    announce: Announce = lambda _notice: False

    @property
    def outbox(self) -> Outbox:
        """Where reports wait."""
        return Outbox(self.state.path("outbox"))

    @property
    def notice(self) -> str:
        """The line that comes before the first send where nobody chose."""
        return notice_text(self.permits)

    @property
    def boot(self) -> str:
        """The boot that runs; empty where none is known."""
        return this_boot(self.machine)

    @property
    def limits(self) -> Limits:
        """What was made from here so far."""
        return Limits(self.state, self.boot, self.now)

    def compose(self, given: Given) -> Report:
        """The report that would be sent now, with an id of its own; nothing is asked of any network."""
        return compose(self.permits, collect(self.machine, given))

    def obstacle(self, report: Report) -> str:
        """What keeps this report from being made and sent now, in words; empty where nothing does."""
        for found in self._obstacles(report, self.decision(report.id)):
            return found.why
        if self.state.is_stopped():
            return "the collector told this version of the client to stop"
        return self.limits.reached(report.id)

    def complete(self, given: Given, most_seconds: float = METADATA_SECONDS) -> Report:
        """The same with what the cloud's metadata service tells; for where the decision is on."""
        facts = collect(self.machine, given)
        report = compose(self.permits, facts)
        if not self._may_ask(report, facts):
            return report
        size = ask_for_size(self.machine, self.permits, most_seconds)
        return report if size is None else compose(self.permits, {**facts, "instance_type": size})

    def endpoint(self) -> Union[Endpoint, Refused]:
        """Where reports go."""
        if self.configuration.url is None:
            return Refused("no collector is known: use --url, TELEMETRY_URL or a configuration file")
        parsed = parse_endpoint(self.configuration.url.value)
        if isinstance(parsed, Refused):
            return Refused(f"the collector's address ({self.configuration.url.origin}) is not usable: {parsed.why}")
        return parsed

    @property
    def choices(self) -> Choices:
        """The stored choices that concern this user, in all their places."""
        return Choices(self.machine, self.state)

    def decision(self, report_id: str, *, dry_run: bool = False) -> Decision:
        """Whether this report may be sent, and why."""
        return decide(
            Situation(
                configuration=self.configuration,
                environ=self.machine.environ,
                choices=self.choices.stored(),
                answer=self.answer,
                default_counts=report_id != INSTALLBUILDER_RUN,
                counts_nothing=dry_run,
            )
        )

    def proxy(self, endpoint: Union[Endpoint, Refused]) -> Union[Proxy, UnusableProxy, None]:
        """The proxy on the way there; None where the way is direct."""
        host = endpoint.host if isinstance(endpoint, Endpoint) else ""
        return find_proxy(self.configuration, self.machine.environ, host)

    def is_sealed(self) -> bool:
        """Whether the image was sealed in this boot, in any place that concerns this user."""
        return is_sealed(self.choices, self.boot)

    def prepare(self, given: Given, *, dry_run: bool = False) -> Union[Ready, Result]:
        """Decides, and gives the notice where one is due; what is ready has a way and all its needed facts."""
        report = self.compose(given)
        decision = self.decision(report.id, dry_run=dry_run)
        refusal = self._refusal(report, decision, dry_run=dry_run)
        if refusal is None:
            return Ready(given, report.id, self._consented_at(decision), decision.needs_notice)
        return self._conclude(refusal, dry_run=dry_run) if decision.is_on else refusal

    def _refusal(self, report: Report, decision: Decision, *, dry_run: bool, is_told: bool = False) -> Optional[Result]:
        """The result for what may not leave; None where it may. Opted out, nothing is left that waits."""
        if not decision.is_on and not dry_run:
            self.outbox.clear()
        for found in self._obstacles(report, decision):
            said = found.why + found.advice
            return Result(found.fate, said if found.fate is Fate.UNUSABLE else f"nothing was sent: {said}")
        if decision.needs_notice and not is_told and not self._give_notice(dry_run=dry_run):
            return Result(Fate.OPTED_OUT, "nothing was sent: the notice that comes first could not be shown")
        return None

    def _refusal_now(self, report: Report, *, dry_run: bool, is_told: bool) -> Optional[Result]:
        """The same, asked once more with everything read again: a sender may have waited since it asked first."""
        now = replace(self, configuration=read_configuration(self.machine, self.url, self.image_file))
        decision = now.decision(report.id, dry_run=dry_run)
        # It is this client at another moment.
        return now._refusal(report, decision, dry_run=dry_run, is_told=is_told)  # noqa: SLF001

    def _conclude(self, result: Result, *, dry_run: bool) -> Result:
        """Remembers for `status` what a send said whose decision was on; in a sealed image nothing is remembered."""
        if not dry_run and result.fate is not Fate.SEALED:
            remember_send(self.state, result, self.now)
        return result

    def deliver(self, ready: Ready, deadline: Deadline, *, dry_run: bool = False) -> Result:
        """Sends what is ready, then what waits."""
        # Loaded here only: on a machine that is opted out nothing of the network is even imported.
        from telemetry_client.delivery import Delivery  # noqa: PLC0415

        endpoint = self.endpoint()
        proxy = self.proxy(endpoint)
        if isinstance(endpoint, Refused) or isinstance(proxy, UnusableProxy):
            raise TypeError("what is ready has a way to the collector")
        report = self.compose(ready.given)
        delivery = Delivery(
            self.permits,
            endpoint,
            proxy,
            self.state,
            self.outbox,
            self.limits,
            deadline,
            self.now,
            lambda: self._refusal_now(report, dry_run=dry_run, is_told=ready.is_told),
            ready.consented_at,
        )

        if not dry_run:
            self.state.try_make()  # what is locked has to be there

        def make() -> Report:
            return self.complete(ready.given, deadline.remaining())

        with only_sender(self.state.directory, deadline.remaining() / 2) as turn:
            if turn is Turn.ANOTHERS:
                return self._conclude(Result(Fate.BUSY, IS_BUSY), dry_run=dry_run)
            result = delivery.try_out(make()) if dry_run else delivery.send(ready.report_id, make)
            is_on = result.fate is not Fate.OPTED_OUT
            return self._conclude(result, dry_run=dry_run) if is_on else result

    def deliver_beside(self, ready: Ready, deadline: Deadline) -> None:
        """The same in a process that the caller left behind."""
        from telemetry_client import delivery, metadata_question  # noqa: F401, PLC0415 - loaded while still at home

        with contextlib.suppress(ImportError):  # minimal builds of Python have no TLS
            from telemetry_client import tls  # noqa: F401, PLC0415
        # What is mounted where the caller stood is not kept busy.
        os.chdir("/")
        self.deliver(ready, deadline)

    def send(self, given: Given, deadline: Deadline, *, dry_run: bool = False) -> Result:
        """Sends one report where that is allowed, and says what became of it."""
        ready = self.prepare(given, dry_run=dry_run)
        return ready if isinstance(ready, Result) else self.deliver(ready, deadline, dry_run=dry_run)

    def choose(self, *, is_on: bool) -> Chosen:
        """Stores a choice and forgets what waited before it."""
        return self.choices.switch_on(self.now) if is_on else self.choices.switch_off(self.now)

    def _obstacles(self, report: Report, decision: Decision) -> Iterator[Obstacle]:
        """What keeps a report from having a way, in the order in which it counts."""
        if not decision.is_on:
            yield Obstacle(Fate.OPTED_OUT, decision.reason)
        if self.is_sealed():
            yield Obstacle(Fate.SEALED, IS_SEALED)
        endpoint = self.endpoint()
        if isinstance(endpoint, Refused):
            yield Obstacle(Fate.UNUSABLE, endpoint.why)
        proxy = self.proxy(endpoint)
        if isinstance(proxy, UnusableProxy):
            yield Obstacle(Fate.UNUSABLE, proxy.why)
        if report.missing:
            names = ", ".join(report.missing)
            why = f"unknown or not in its format: {names}"
            yield Obstacle(Fate.UNUSABLE, why, "; see `telemetry-client show`")

    def _may_ask(self, report: Report, facts: Mapping[str, Fact]) -> bool:
        """Whether the metadata service may be asked for what is still unknown."""
        permit = self.permits.reports[report.id].fields.get("instance_type")
        source = facts["source"].value
        return (
            permit is not None
            and "cloud" in permit.sources
            and source == "cloud"
            and "instance_type" not in facts
            # What is mounted somewhere is not the machine whose service would answer.
            and not self.machine.host
            and not self.limits.boot_is_reported()
        )

    def _consented_at(self, decision: Decision) -> int:
        own = self.state.choice()
        return own.chosen_at if decision.rule == "stored" and own is not None else 0

    def _give_notice(self, *, dry_run: bool) -> bool:
        if self.state.notice_was_shown():
            return True
        if not self.announce(self.notice):
            return False
        # A dry run is made while an image is built: its users have not seen the notice yet.
        if not dry_run:
            self.state.remember_notice(self.now)
        return True


def open_client(
    machine: Machine,
    permits: Permits,
    state: State,
    now: float,
    *,
    url: str = "",
    image_file: str = "",
    answer: Optional[bool] = None,
    announce: Announce = announce_on_stderr,
) -> Client:
    """The client for this machine, with its settings read."""
    configuration = read_configuration(machine, url, image_file)
    return Client(machine, permits, configuration, state, now, url, image_file, answer, announce)
