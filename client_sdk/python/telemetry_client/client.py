"""The client as a whole: this machine, its settings, its memory; ready to show, send or choose.

Invariant: `send` makes no connection, and resolves no name, unless the decision is on.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Optional, Union

from telemetry_client.choices import Choices, Chosen
from telemetry_client.configuration import Configuration, read_configuration
from telemetry_client.consent import Decision, Situation, decide
from telemetry_client.endpoint import Endpoint, Refused, parse_endpoint
from telemetry_client.facts import Given, collect
from telemetry_client.outbox import Outbox
from telemetry_client.permits import INSTALLBUILDER_RUN, Permits
from telemetry_client.report import Report, compose
from telemetry_client.result import Fate, Result

if TYPE_CHECKING:
    from telemetry_client.deadline import Deadline
    from telemetry_client.machine import Machine
    from telemetry_client.state import State

Announce = Callable[[str], bool]


@dataclass(frozen=True)
class Client:
    """Everything that is fixed for one command or one call.

    now: seconds since 1970. answer: a person's answer to the product's own question. announce: shows the
    notice to a person and says whether it could.
    """

    machine: Machine
    permits: Permits
    configuration: Configuration
    state: State
    now: float
    answer: Optional[bool] = None
    announce: Announce = lambda _notice: False

    @property
    def outbox(self) -> Outbox:
        """Where reports wait."""
        return Outbox(self.state.path("outbox"))

    @property
    def notice(self) -> str:
        """The line that comes before the first send where nobody chose."""
        return (
            "telemetry-client: this image reports its product, version, source (vm, cloud or container), OS "
            "version, instance type, language and a random number made for each report to its vendor; "
            "`telemetry-client show` shows it, `telemetry-client off` ends it "
            f"({self.permits.contact}, {self.permits.url})"
        )

    def compose(self, given: Given) -> Report:
        """The report that would be sent now, with an id of its own."""
        return compose(self.permits, collect(self.machine, given))

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

    def send(self, given: Given, deadline: Deadline, *, dry_run: bool = False) -> Result:
        """Sends one report where that is allowed, and says what became of it."""
        report = self.compose(given)
        decision = self.decision(report.id, dry_run=dry_run)
        if not decision.is_on:
            if not dry_run:
                self.outbox.clear()
            return Result(Fate.OPTED_OUT, f"nothing was sent: {decision.reason}")
        endpoint = self.endpoint()
        if isinstance(endpoint, Refused):
            return Result(Fate.UNUSABLE, endpoint.why)
        if report.missing:
            names = ", ".join(report.missing)
            return Result(Fate.UNUSABLE, f"unknown or not in its format: {names}; see `telemetry-client show`")
        if decision.needs_notice and not self._give_notice(dry_run=dry_run):
            return Result(Fate.OPTED_OUT, "nothing was sent: the notice that comes first could not be shown")
        # Loaded here only: on a machine that is opted out nothing of the network is even imported.
        from telemetry_client.delivery import Delivery  # noqa: PLC0415

        delivery = Delivery(
            self.permits,
            endpoint,
            self.state,
            self.outbox,
            deadline,
            self.now,
            self._consented_at(decision),
        )
        return delivery.try_out(report) if dry_run else delivery.send(report)

    def choose(self, *, is_on: bool) -> Chosen:
        """Stores a choice and forgets what waited before it."""
        return self.choices.switch_on(self.now) if is_on else self.choices.switch_off(self.now)

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


def announce_on_stderr(notice: str) -> bool:
    """Shows the notice on the standard error, which is a container's log; False where there is none."""
    try:
        print(notice, file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError):
        return False
    # Without a console Python sets it to None, and print() then silently prints nothing.
    return sys.stderr is not None


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
    return Client(machine, permits, configuration, state, now, answer, announce)
