"""From a report to its fate: outbox, post, what the answer means, and what else waits.

The contract with the collector: 202 = it is on disk, forget it; 400, 404, 405, 413, 415, 422 = it will
never be taken, drop it; 410 = this version of the client stops; anything else = keep it, and come back after
Retry-After, or after a pause that grows. The report is in the outbox before it is posted: a machine that is
switched off in the middle loses nothing, and sends the same report_id again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Optional, Tuple

from telemetry_client.pause import begin_pause, end_pause, seconds_to_wait
from telemetry_client.result import Fate, Result
from telemetry_client.sent import Sent, mask_key, remember_sent
from telemetry_client.transport import Answer, post

if TYPE_CHECKING:
    from telemetry_client.deadline import Deadline
    from telemetry_client.endpoint import Endpoint
    from telemetry_client.limits import Limits
    from telemetry_client.outbox import Outbox
    from telemetry_client.permits import Permits
    from telemetry_client.proxy import Proxy
    from telemetry_client.report import Report
    from telemetry_client.state import State

_VALID = 200
_ACCEPTED = 202
_GONE = 410
_DROP = frozenset({400, 404, 405, 413, 415, 422})
# Less than this is not worth another connection.
_WORTH_SECONDS = 0.5


@dataclass(frozen=True)
class Delivery:
    """What it takes to deliver: where to and how, what is remembered, how long, and the time of day.

    refusal: asked once more before anything leaves or is kept; the result for what may not, None where it may.
    consented_at: nothing made before this moment (seconds since 1970) is sent. chance: random, from 0 to 1.
    """

    permits: Permits
    endpoint: Endpoint
    proxy: Optional[Proxy]
    state: State
    outbox: Outbox
    limits: Limits
    deadline: Deadline
    now: float
    refusal: Callable[[], Optional[Result]]
    consented_at: int = 0
    chance: Callable[[], float] = random.random

    def send(self, report_id: str, make: Callable[[], Report]) -> Result:
        """Makes a report of this kind where it may be made, delivers it, then what waits.

        make: called only where neither a stop nor a limit forbids the report.
        """
        if self.state.is_stopped():
            return Result(Fate.STOPPED, "the collector told this version of the client to stop")
        limit = self.limits.reached(report_id)
        if limit:
            return self._send_old(Result(Fate.ALREADY_REPORTED, f"not sent: {limit}"))
        report = make()
        return self.refusal() or self._send_new(report)

    def try_out(self, report: Report) -> Result:
        """A dry run: the collector validates and stores nothing; only the log remembers it here."""
        refusal = self.refusal()
        if refusal is not None:
            return refusal
        answer = self._post(report.id, report.path, report.body, query="?dry_run=1")
        if answer.status == _VALID:
            end_pause(self.state)
            return Result(Fate.VALID, "valid: the collector would accept this report; nothing was stored")
        if answer.status in _DROP:
            return Result(Fate.REFUSED, f"it would be refused: {_told(answer)}")
        return Result(Fate.LOST, f"not tried out: {_told(answer)}")

    def _send_old(self, result: Result) -> Result:
        """What waits alone, where no report is made."""
        if self._seconds_to_wait():
            return result
        also_sent, refusal = self._send_waiting()
        # Refused before the first: as if it had been no from the start.
        return refusal if refusal is not None and not also_sent else result._replace(also_sent=also_sent)

    def _send_new(self, report: Report) -> Result:
        name = "" if report.carries_key else self.outbox.put(report, self.endpoint.url, self.now)
        # Before it is posted: a machine that is switched off in between would count it twice.
        self.limits.remember(report.id)
        pause = self._seconds_to_wait()
        if pause:
            return _kept(report, name, f"the collector is left alone for another {pause:.0f} s")
        answer = self._post(report.id, report.path, report.body)
        if answer.status == _GONE:
            return self._stop()
        if answer.status != _ACCEPTED and answer.status not in _DROP:
            self._begin_pause(answer)
            return self.refusal() or _kept(report, name, _told(answer))
        self.outbox.remove(name)
        also_sent, _refusal = self._send_waiting()
        if answer.status == _ACCEPTED:
            return Result(Fate.ACCEPTED, "accepted: the report is on the collector's disk", also_sent)
        return Result(Fate.REFUSED, f"refused and dropped: {_told(answer)}", also_sent)

    def _send_waiting(self) -> Tuple[int, Optional[Result]]:
        """Sends what waits, oldest first; how many were accepted, and the refusal of what may not leave any more.

        Stops at the first that is not settled.
        """
        accepted = 0
        self.outbox.tidy(self.now)
        for waiting in self.outbox.waiting(self.permits, self.endpoint.url, self.consented_at):
            if self.deadline.remaining() < _WORTH_SECONDS:
                break
            refusal = self.refusal()
            if refusal is not None:
                return accepted, refusal
            if not self.outbox.holds(waiting.name):
                continue  # deleted meanwhile
            answer = self._post(waiting.report, waiting.path, waiting.body)
            if answer.status == _ACCEPTED or answer.status in _DROP:
                self.outbox.remove(waiting.name)
                accepted += answer.status == _ACCEPTED
                continue
            if answer.status == _GONE:
                self._stop()
            else:
                self._begin_pause(answer)
            break
        return accepted, None

    def _post(self, report_id: str, path: str, body: bytes, query: str = "") -> Answer:
        answer = post(self.endpoint, path + query, body, self.deadline, self.proxy)
        if answer.was_handed:
            sent = Sent(int(self.now), report_id, self.endpoint.url, answer.status, mask_key(body))
            remember_sent(self.state, sent)
        if answer.status == _ACCEPTED or answer.status in _DROP:
            end_pause(self.state)
        return answer

    def _stop(self) -> Result:
        remembered = self.state.stop()
        self.outbox.clear()
        note = "" if remembered else ", but that could not be remembered"
        return Result(Fate.STOPPED, f"the collector told this version of the client to stop{note}")

    def _seconds_to_wait(self) -> float:
        return seconds_to_wait(self.state, self.endpoint.url, self.now)

    def _begin_pause(self, answer: Answer) -> None:
        begin_pause(self.state, self.endpoint.url, answer.retry_after, self.now, self.chance())


def _kept(report: Report, name: str, why: str) -> Result:
    if name:
        return Result(Fate.WAITING, f"not sent ({why}); it waits in the outbox")
    if report.carries_key:
        return Result(Fate.LOST, f"not sent ({why}); a report with a licence key is tried once and never kept")
    return Result(Fate.LOST, f"not sent ({why}), and the outbox cannot be written")


def _told(answer: Answer) -> str:
    """The answer in codes: `HTTP 422, unknown_product, product`."""
    if answer.trouble:
        return answer.trouble
    return ", ".join(part for part in (f"HTTP {answer.status}", answer.outcome, answer.field) if part)
