"""From a report to its fate: outbox, post, what the answer means, and what else waits.

The contract with the collector: 202 = it is on disk, forget it; 400, 404, 405, 413, 415, 422 = it will
never be taken, drop it; 410 = this version of the client stops; anything else = keep it, and come back after
Retry-After where that is given. The report is in the outbox before it is posted: a machine that is
switched off in the middle loses nothing, and sends the same report_id again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry_client.result import Fate, Result
from telemetry_client.transport import Answer, post

if TYPE_CHECKING:
    from telemetry_client.deadline import Deadline
    from telemetry_client.endpoint import Endpoint
    from telemetry_client.outbox import Outbox
    from telemetry_client.permits import Permits
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
    """What it takes to deliver: where to, what is remembered, how long, and the time of day.

    consented_at: nothing made before this moment (seconds since 1970) is sent.
    """

    permits: Permits
    endpoint: Endpoint
    state: State
    outbox: Outbox
    deadline: Deadline
    now: float
    consented_at: int = 0

    def send(self, report: Report) -> Result:
        """Delivers `report`, then what waits, as long as time and the collector allow."""
        if self.state.is_stopped():
            return Result(Fate.STOPPED, "the collector told this version of the client to stop")
        name = "" if report.carries_key else self.outbox.put(report, self.endpoint.url, self.now)
        pause = self.state.seconds_to_wait(self.endpoint.url, self.now)
        if pause:
            return _kept(report, name, f"the collector asked to be left alone for another {pause:.0f} s")
        answer = post(self.endpoint, report.path, report.body, self.deadline)
        if answer.status == _ACCEPTED:
            self.outbox.remove(name)
            return Result(Fate.ACCEPTED, "accepted: the report is on the collector's disk", self._send_waiting())
        if answer.status in _DROP:
            self.outbox.remove(name)
            return Result(Fate.REFUSED, f"refused and dropped: {_told(answer)}", self._send_waiting())
        if answer.status == _GONE:
            return self._stop()
        self._heed(answer)
        return _kept(report, name, _told(answer))

    def try_out(self, report: Report) -> Result:
        """A dry run: the collector validates and stores nothing; nothing is remembered here either."""
        answer = post(self.endpoint, report.path + "?dry_run=1", report.body, self.deadline)
        if answer.status == _VALID:
            return Result(Fate.VALID, "valid: the collector would accept this report; nothing was stored")
        if answer.status in _DROP:
            return Result(Fate.REFUSED, f"it would be refused: {_told(answer)}")
        return Result(Fate.LOST, f"not tried out: {_told(answer)}")

    def _send_waiting(self) -> int:
        """Sends what waits, oldest first; how many were accepted. Stops at the first that is not."""
        accepted = 0
        self.outbox.tidy(self.now)
        for waiting in self.outbox.waiting(self.permits, self.endpoint.url, self.consented_at):
            if self.deadline.remaining() < _WORTH_SECONDS:
                break
            answer = post(self.endpoint, waiting.path, waiting.body, self.deadline)
            if answer.status == _ACCEPTED or answer.status in _DROP:
                self.outbox.remove(waiting.name)
                accepted += answer.status == _ACCEPTED
                continue
            if answer.status == _GONE:
                self._stop()
            else:
                self._heed(answer)
            break
        return accepted

    def _stop(self) -> Result:
        remembered = self.state.stop()
        self.outbox.clear()
        note = "" if remembered else ", but that could not be remembered"
        return Result(Fate.STOPPED, f"the collector told this version of the client to stop{note}")

    def _heed(self, answer: Answer) -> None:
        if answer.retry_after:
            self.state.wait(self.endpoint.url, answer.retry_after, self.now)


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
