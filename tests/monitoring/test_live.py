"""Every alert, by its real fault: a real Prometheus scrapes a real collector, which is broken and mended.

The rules are the shipped ones with shorter waits, see `hurried` and `CHANGES`. `make test-monitoring` runs it; what is
left in every run is what promtool makes of the rules.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from collector import forgotten
from collector.ingest.pseudonyms import quarter
from collector.layout import Layout
from tests.clickhouse_server import ClickHouseServer, NotAvailableError, free_port
from tests.conftest import Server, collector, missing, running
from tests.crash.small_disk import fill, small_disk
from tests.monitoring.alertmanager import Listener, alertmanager
from tests.monitoring.prometheus import Prometheus, prometheus
from tests.monitoring.rules import DASHBOARD, alerts, panels
from tests.monitoring.site import (
    BURST,
    DISK_MEGABYTES,
    ELSEWHERE,
    ONE_DAY,
    SPOOL_BYTES,
    TODAY,
    Pulse,
    Site,
    copy_peppers,
    failing_disk,
)
from tests.outage.fault_proxy import Fault, FaultProxy

pytestmark = [pytest.mark.timeout(240), pytest.mark.only_with("MONITORING")]
# Of what has not happened there may be no series: no connection was one too many, no value new, no field withdrawn.
MAY_BE_EMPTY = ["connections_closed", "values_replaced", "fields_blanked", "expired_reports"]
_fired: set[str] = set()


@dataclass
class Watched:
    """A site, a second part of it, and who watches and hears of both."""

    site: Site
    part: Server
    peppers: Path
    prometheus: Prometheus
    listener: Listener
    pulse: Pulse
    has_small_disk: bool

    @contextlib.contextmanager
    def expecting(self, *names: str) -> Iterator[None]:
        """Within, a fault is made and mended; these alerts must not have fired before it.

        That they clear is awaited where it matters next: before the same alert is made to fire again, and at the end.
        """
        self.prometheus.wait_until_clear(*names)
        yield

    def see(self, *names: str) -> None:
        """Waits until these fire."""
        self.prometheus.wait_until_firing(*names)
        _fired.update(names)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("monitoring")
    with contextlib.ExitStack() as things, pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(Path(__file__).parent / "planted"))
        environment.setenv("PLANTED_MISTAKE", str(directory / "mistake"))
        store = ClickHouseServer(directory / "store")
        try:
            store.start()
        except NotAvailableError as error:
            missing(str(error))
        things.callback(store.kill)
        try:
            things.enter_context(small_disk(directory / "disk", DISK_MEGABYTES))
        except (OSError, subprocess.SubprocessError):
            is_small = False
        else:
            is_small = True
        proxy = FaultProxy(store.port)
        things.callback(proxy.close)
        site = Site(directory, directory / "disk", store, proxy)
        site.start()
        things.callback(stop, site)
        peppers = copy_peppers(site, directory / "part")
        metrics_port = free_port()
        part = things.enter_context(running(directory / "part", *site.part_options(metrics_port), verb="ingest"))
        address, listener = things.enter_context(alertmanager(directory / "alertmanager"))
        targets = {"serve": f"127.0.0.1:{site.ports['metrics']}", "ingest": f"127.0.0.1:{metrics_port}"}
        watching = things.enter_context(prometheus(directory / "prometheus", targets, address))
        pulse = Pulse(site)
        things.callback(pulse.end)
        scraped = 'count_over_time(up{job="collector"}[1h]) > 10'
        while len(watching.query(scraped)) < len(targets):
            time.sleep(0.2)
        yield Watched(site, part, peppers, watching, listener, pulse, is_small)


def stop(site: Site) -> None:
    if site.server.process.poll() is None:
        site.server.stop()
    assert site.server.process.stdout is not None
    site.server.process.stdout.close()


def test_nothing_fires_on_a_collector_that_is_well(watched: Watched) -> None:
    assert watched.prometheus.firing() == {}
    assert len(watched.prometheus.query('up{job="collector"} == 1')) == 2


def test_product_that_is_not_in_the_catalogue(watched: Watched) -> None:
    with watched.expecting("UnknownProduct"):
        assert watched.site.send(60, product="launched-today") == 422
        watched.see("UnknownProduct")


def test_what_the_operator_wrote_is_refused_or_about_to_end(watched: Watched) -> None:
    site = watched.site
    with watched.expecting("ReloadRefused", "CertificateEndsSoon", "PermitEndsSoon"):
        site.renew_certificate(TODAY + 3 * ONE_DAY)
        site.write_policy(TODAY + 10 * ONE_DAY)
        site.reload("done")
        whole = site.policy.read_text()
        site.policy.write_text(whole + "\nthis is no policy\n")
        site.reload("refused")
        watched.see("ReloadRefused", "CertificateEndsSoon", "PermitEndsSoon")
        site.write_policy(TODAY + 900 * ONE_DAY)
        site.renew_certificate(TODAY + 90 * ONE_DAY)
        site.reload("done")


def test_certificate_and_permit_have_ended(watched: Watched) -> None:
    site = watched.site
    with watched.expecting("CertificateLastDay", "PermitEnded"):
        site.renew_certificate(TODAY - 3 * ONE_DAY)
        site.write_policy(TODAY - ONE_DAY)
        site.reload("done")
        watched.see("CertificateLastDay", "PermitEnded")
        site.write_policy(TODAY + 900 * ONE_DAY)
        site.renew_certificate(TODAY + 90 * ONE_DAY)
        site.reload("done")


def test_backups_that_stopped(watched: Watched) -> None:
    data = watched.site.data
    with watched.expecting("BackupOld"):
        into = str(data.with_name("backups"))
        collector("backup", "--data", str(data), "--to", into)
        long_ago = time.time() - 3 * 86400
        os.utime(data / "last-backup", (long_ago, long_ago))
        watched.see("BackupOld")
        collector("backup", "--data", str(data), "--to", into)


def test_licence_that_is_not_forgotten_yet(watched: Watched) -> None:
    """The other machine takes reports of today still, so the request waits for it; then it is one of three days ago."""
    site, options = watched.site, watched.site.store.options(watched.site.proxy.port)
    command = [sys.executable, "-m", "collector", "forget", "--data", site.data, *options]
    with watched.expecting("ErasurePending"):
        asked = subprocess.run(command, input=b"LICENCE-Q7ZK4M2X9VBD", capture_output=True, check=False)
        assert asked.returncode == 3, asked.stderr
        assert b"which has loaded what it received through" in asked.stdout
        paths = Layout(site.data)
        (one,) = forgotten.pending(paths)
        forgotten.keep(paths, replace(one, asked_on=TODAY - 3 * ONE_DAY))
        watched.see("ErasurePending")
        collector("forget", "--pending", "--data", str(site.data), *options)


def test_segment_that_the_store_cannot_read(watched: Watched) -> None:
    with watched.expecting("SegmentsQuarantined"):
        watched.site.put_segment(TODAY, readable=False)
        watched.see("SegmentsQuarantined")
        collector("quarantine", "drop", "--all", "--yes", "--data", str(watched.site.data))


def test_segment_that_is_stuck_holds_its_day_up(watched: Watched) -> None:
    day = TODAY - 2 * ONE_DAY
    with watched.expecting("BacklogOld", "DayNotClosed"):
        stuck = watched.site.put_directory_for_a_segment(day, age_seconds=1200)
        watched.site.put_segment(day, readable=True)
        watched.see("BacklogOld", "DayNotClosed")
        stuck.rmdir()
        collector("publish", "--data", str(watched.site.data), *watched.site.store.options(watched.site.proxy.port))


def test_pepper_is_due_and_then_missing(watched: Watched) -> None:
    def away(path: Path) -> Path:
        return path.rename(path.with_name(f"away-{path.name}"))

    this, *later = sorted(watched.peppers.glob("pepper-*"))
    assert this.name == f"pepper-{quarter(TODAY)}"
    with watched.expecting("PepperDue", "PepperMissing"):
        moved = away(later[0])
        watched.see("PepperDue")
        assert "PepperMissing" not in watched.prometheus.firing()
        running_one = away(this)
        watched.see("PepperMissing")
        moved.rename(later[0])
        running_one.rename(this)


def test_audit_file_that_takes_no_lines(watched: Watched) -> None:
    server = watched.site.server
    assert server.token
    with watched.expecting("AuditNotWritten"):
        other = sqlite3.connect(server.data / "access.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with contextlib.suppress(urllib.error.HTTPError):
            server.ask("/v1/usage?product=wordpress&by=product_version").close()
        watched.see("AuditNotWritten")
        other.execute("ROLLBACK")
        other.close()


def test_reports_are_refused_limited_too_many_or_met_by_a_mistake(watched: Watched) -> None:
    site = watched.site
    with watched.expecting("RefusedShareHigh", "RateLimited", "TooBusy", "InternalErrors"):
        while site.crowd().count(503) < 20:
            pass
        site.crowd()
        site.crowd()
        site.send(200, hostname="canary")
        assert site.send_one_by_one(BURST + 150, ELSEWHERE).count(429) >= 140
        site.mistake.touch()
        try:
            assert site.send(1) == 500
            watched.see("RefusedShareHigh", "RateLimited", "TooBusy", "InternalErrors")
        finally:
            site.mistake.unlink()


def test_disk_fails_or_is_slow(watched: Watched) -> None:
    site = watched.site
    with watched.expecting("CommitsFail", "CommitsSlow"):
        with failing_disk(site.pid_of("collector.worker"), "error=EIO"):
            watched.see("CommitsFail")
        with failing_disk(site.pid_of("collector.worker"), "delay_enter=800000"):
            watched.see("CommitsSlow")
    assert site.send(1) == 202


def test_processes_that_end_again_and_again_and_a_table_that_is_gone(watched: Watched) -> None:
    site = watched.site
    with watched.expecting("ProcessRestarting", "PublishFailing"):
        site.store.ask("RENAME TABLE public.releases TO public.elsewhere")
        for failures in range(1, 4):
            os.kill(site.pid_of("collector.storekeeper"), 9)
            os.kill(site.pid_of("collector.worker"), 9)
            deadline = time.monotonic() + 40
            while site.server.metric("telemetry_publish_failures_total") < failures:
                assert time.monotonic() < deadline, site.server.log.read_text()
                time.sleep(0.05)
        watched.see("ProcessRestarting", "PublishFailing")
        site.store.ask("RENAME TABLE public.elsewhere TO public.releases")


def test_database_away_until_nothing_more_can_wait(watched: Watched) -> None:
    """Alertmanager tells it the one who is woken, and of what follows from it says nothing."""
    site = watched.site
    with watched.expecting("StoreDown", "SpoolNearLimit", "SpoolFull"):
        site.proxy.set(Fault.REFUSE)
        watched.see("StoreDown")
        while site.waiting_bytes() < 0.85 * SPOOL_BYTES:
            assert site.send(200) == 202
        watched.see("SpoolNearLimit")
        assert "SpoolFull" not in watched.prometheus.firing()
        while site.send(200) == 202:
            pass
        assert site.send(1) == 507
        watched.see("SpoolFull")
        watched.listener.wait_for(("page", "StoreDown", "firing"), ("page", "SpoolFull", "firing"))
        site.proxy.set(Fault.NONE)
    watched.listener.wait_for(("page", "StoreDown", "resolved"))
    assert "SpoolNearLimit" not in {name for _, name, _ in watched.listener.said}


def test_disk_fills_up(watched: Watched) -> None:
    if not watched.has_small_disk:
        missing("a small file system for the collector's data needs root and mount")
    with watched.expecting("DiskNearReserve", "SpoolFull"):
        reserve = int(watched.site.server.metric("telemetry_disk_reserve_bytes"))
        ballast = fill(watched.site.disk, but_bytes=reserve + (reserve // 2))
        watched.see("DiskNearReserve")
        assert "SpoolFull" not in watched.prometheus.firing()
        fill(watched.site.disk, but_bytes=reserve // 2)
        watched.see("SpoolFull")
        ballast.unlink()
    assert watched.site.send(1) == 202


def test_clients_that_no_longer_reach_the_collector(watched: Watched) -> None:
    with watched.expecting("ReportsStopped"):
        assert watched.site.send(300) == 202
        watched.pulse.pause()
        watched.see("ReportsStopped")
        watched.pulse.resume()


def test_collector_is_killed(watched: Watched) -> None:
    with watched.expecting("CollectorDown"):
        watched.site.server.kill_everything()
        watched.see("CollectorDown")
        stop(watched.site)
        watched.site.start()
    assert watched.site.send(1) == 202


def test_every_query_of_the_dashboard_is_answered_and_shows_something(watched: Watched) -> None:
    for panel in panels(json.loads(DASHBOARD.read_text("utf-8"))):
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
            assert "$" not in expression
            found = watched.prometheus.query(expression)
            if any(name in expression for name in MAY_BE_EMPTY):
                continue
            deadline = time.monotonic() + 30
            while not found:  # the collector may just have been started again
                assert time.monotonic() < deadline, f"{panel['title']}: {expression}"
                time.sleep(0.2)
                found = watched.prometheus.query(expression)


def test_every_alert_was_seen_to_fire(watched: Watched) -> None:
    assert _fired | ({"DiskNearReserve"} if not watched.has_small_disk else set()) == {one.name for one in alerts()}


def test_all_is_mended_and_every_alert_has_cleared(watched: Watched) -> None:
    assert _fired
    watched.prometheus.wait_until_clear(*_fired)
    assert watched.prometheus.firing() == {}
