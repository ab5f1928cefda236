"""An outage under load: the server is killed with SIGKILL, stays away, and comes back.

`make test-outage` runs it with 2,000 reports a second and prints what it cost; OUTAGE_SECONDS says how
long the outage is, with as long a time of load before it and after it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.clickhouse_server import ClickHouseServer, NotAvailableError
from tests.conftest import Server, children, running
from tests.outage.fleet import Fleet, stored, wait_for_event

CATCH_UP_SECONDS = 600


@dataclass(frozen=True)
class Result:
    """What an outage cost; memory in MB."""

    accepted: int
    refused: int
    lost: int
    invented: int
    doubled: int
    quarantined: int
    catch_up_rows: int
    catch_up_seconds: float
    worker_peak: int
    store_peak: int

    def lines(self) -> list[str]:
        rate = self.catch_up_rows / self.catch_up_seconds
        wrong = f"invented {self.invented}, doubled {self.doubled}, segments in quarantine {self.quarantined}"
        caught_up = f"{self.catch_up_rows:,.0f} rows in {self.catch_up_seconds:.1f} s, beside the load"
        return [
            f"accepted     {self.accepted:>10,}   refused {self.refused}",
            f"lost         {self.lost:>10,}   {wrong}",
            f"catch-up     {rate:>10,.0f}   rows/s: {caught_up}",
            f"peak memory  {self.worker_peak:>10,}   MB, ingest worker; {self.store_peak} MB, store process",
        ]


def outage(directory: Path, seconds: float, per_second: int) -> Result:
    """Runs the load before, during and after an outage of so many seconds.

    Raises:
        NotAvailableError: there is no server on this machine.
    """
    store = ClickHouseServer(directory / "store")
    store.start()
    try:
        with running(directory / "data", *store.options(), "--rate-per-second", "0") as server:
            fleet = Fleet(server)
            fleet.send_for(3 * seconds, per_second, lambda: _interrupt(store, server, seconds))
            caught_up = wait_for_event(server, "caught_up", seconds=CATCH_UP_SECONDS)
            _wait(lambda: not [*server.data.glob("spool/*/*/*.ndjson")])
            ids = Counter(stored(store))
            peaks = {_role(pid): _peak(pid) for pid in children(server.process.pid)}
            return Result(
                accepted=len(fleet.accepted),
                refused=len(fleet.refused),
                lost=len(fleet.accepted - set(ids)),
                invented=len(set(ids) - fleet.accepted),
                doubled=sum(n - 1 for n in ids.values()),
                quarantined=len([*server.data.glob("quarantine/*.ndjson")]),
                catch_up_rows=int(str(caught_up["rows"])),
                catch_up_seconds=float(str(caught_up["seconds"])),
                worker_peak=peaks["worker"],
                store_peak=peaks["storekeeper"],
            )
    finally:
        store.kill()


def _interrupt(store: ClickHouseServer, server: Server, seconds: float) -> None:
    time.sleep(seconds)
    store.kill()
    time.sleep(seconds)
    _wait(lambda: server.metric("telemetry_store_up") == 0)
    store.start()


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _role(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[2].removeprefix("collector.")


def _peak(pid: int) -> int:
    (line,) = (x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def main() -> int:
    seconds = float(os.environ.get("OUTAGE_SECONDS", "60"))
    with tempfile.TemporaryDirectory() as directory:
        try:
            result = outage(Path(directory), seconds, 2000)
        except NotAvailableError as error:
            sys.stderr.write(f"{error}\n")
            return 2
    sys.stdout.write(f"an outage of {seconds:g} s under 2,000 reports/s\n")
    sys.stdout.writelines(f"  {line}\n" for line in result.lines())
    return 1 if result.lost or result.invented or result.doubled or result.refused or result.quarantined else 0


if __name__ == "__main__":
    sys.exit(main())
