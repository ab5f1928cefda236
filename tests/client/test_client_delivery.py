"""What becomes of a report for every answer, and what the outbox keeps, on real sockets and real files."""

from __future__ import annotations

import json
import os
import stat
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from telemetry_client.client import Client, open_client
from telemetry_client.deadline import Deadline
from telemetry_client.facts import Given
from telemetry_client.outbox import MAX_AGE_SECONDS, MAX_REPORTS
from telemetry_client.pause import MAX_WAIT_SECONDS
from telemetry_client.permits import load_permits
from telemetry_client.result import Fate, Result
from telemetry_client.state import State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import BuildMachine, Collector, OpenAt

NOW = 1_790_000_000.0
WORDPRESS = Given(product="wordpress", product_version="6.4.2-0")
KEY = "CANARY-0000-1111-2222"
LICENSED = Given(product="installbuilder", product_version="23.1.0", license_key=KEY)


@pytest.fixture
def at(machine: BuildMachine, tmp_path: Path, collector: Collector) -> OpenAt:
    """The client of a person who switched it on, at this many seconds after that."""
    State(str(tmp_path / "state")).choose(is_on=True, now=NOW)

    def open_at(seconds: float = 0, url: str = "") -> Client:
        state = State(str(tmp_path / "state"))
        return open_client(machine(), load_permits(), state, NOW + seconds, url=url or collector.url)

    return open_at


def _send(client: Client, given: Given = WORDPRESS) -> Result:
    return client.send(given, Deadline(5))


def test_accepted_is_forgotten(at: OpenAt, collector: Collector) -> None:
    result = _send(at())
    assert result.is_accepted
    assert at().outbox.names() == []
    sent = collector.received[0]
    assert sent.path == "/v1/reports/image-boot/1"
    assert sent.fields["product_version"] == "6.4.2-0"


def test_nothing_but_the_stated_headers_leaves(at: OpenAt, collector: Collector) -> None:
    _send(at())
    assert set(collector.received[0].headers) == {
        "Host",
        "User-Agent",
        "Content-Type",
        "Content-Length",
        "Connection",
    }
    assert collector.received[0].headers["User-Agent"] == "product-telemetry/1"


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422])
def test_a_refused_report_is_dropped_and_the_codes_are_shown(status: int, at: OpenAt, collector: Collector) -> None:
    collector.answer(status, body=b'{"outcome":"unknown_product","field":"product","detail":"secret"}')
    result = _send(at())
    assert result.fate is Fate.REFUSED
    assert f"HTTP {status}, unknown_product, product" in result.message
    assert "secret" not in result.message
    assert at().outbox.names() == []


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 308, 401, 403, 408, 429, 500, 502, 503, 507])
def test_any_other_answer_keeps_the_report(status: int, at: OpenAt, collector: Collector) -> None:
    collector.answer(status, body=b"" if status == 204 else b"{}")
    assert _send(at()).fate is Fate.WAITING
    assert len(at().outbox.names()) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, at: OpenAt, collector: Collector) -> None:
    collector.answer(status, {"Location": f"{collector.url}/elsewhere"})
    assert _send(at()).fate is Fate.WAITING
    assert [received.path for received in collector.received] == ["/v1/reports/image-boot/1"]


def test_a_retry_is_the_same_report_with_the_same_id(at: OpenAt, collector: Collector) -> None:
    collector.answer(503, {"Retry-After": "0"})
    _send(at())
    result = _send(at(60))
    assert (result.fate, result.also_sent) == (Fate.ACCEPTED, 1)
    first, new, again = collector.received
    assert again.body == first.body
    assert new.fields["report_id"] != first.fields["report_id"]
    assert at().outbox.names() == []


def test_a_collector_that_is_down_again_is_not_asked_sixteen_times(at: OpenAt, collector: Collector) -> None:
    for _ in range(5):
        collector.answer(503, {"Retry-After": "0"})
        _send(at())
    collector.answer(202)
    collector.answer(503, {"Retry-After": "0"})
    assert _send(at()).is_accepted
    assert collector.connections == 7
    assert len(at().outbox.names()) == 5


def test_410_stops_this_version_for_good_and_forgets_what_waits(at: OpenAt, collector: Collector) -> None:
    collector.answer(503, {"Retry-After": "0"})
    _send(at())
    collector.answer(410)
    assert _send(at()).fate is Fate.STOPPED
    assert _send(at(10 * 86400)).fate is Fate.STOPPED
    assert collector.connections == 2
    assert at().outbox.names() == []


def test_a_later_version_of_the_client_may_send_again(at: OpenAt, collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "state" / "stopped").write_text("version = 0\n")
    assert _send(at()).is_accepted
    assert collector.connections == 1


@pytest.mark.parametrize("header", ["120", formatdate(NOW, usegmt=True)])
def test_retry_after_is_honoured(
    header: str, at: OpenAt, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW - 120)
    collector.answer(503, {"Retry-After": header})
    assert _send(at()).fate is Fate.WAITING
    early = _send(at(119))
    assert early.fate is Fate.WAITING
    assert "left alone" in early.message
    assert collector.connections == 1
    assert _send(at(121)).also_sent == 2
    assert collector.connections == 4


def test_retry_after_is_capped_at_a_day(at: OpenAt, collector: Collector) -> None:
    collector.answer(503, {"Retry-After": "99999999999999"})
    _send(at())
    assert _send(at(MAX_WAIT_SECONDS - 5)).fate is Fate.WAITING
    assert _send(at(MAX_WAIT_SECONDS + 5)).is_accepted


def test_a_clock_that_was_set_back_does_not_silence_the_client(at: OpenAt, collector: Collector) -> None:
    collector.answer(503, {"Retry-After": "3600"})
    _send(at(10 * 86400))
    assert _send(at()).is_accepted


def test_the_outbox_keeps_the_newest_sixteen(at: OpenAt, collector: Collector) -> None:
    # Eight hours apart, because ten a day is another limit.
    for number in range(MAX_REPORTS + 4):
        collector.answer(503, {"Retry-After": "0"})
        _send(at(number * 28800))
    names = at().outbox.names()
    assert len(names) == MAX_REPORTS
    assert int(names[0].split("-")[0]) == int(NOW) + 4 * 28800


def test_reports_are_dropped_after_a_week(at: OpenAt, collector: Collector) -> None:
    collector.answer(503, {"Retry-After": "0"})
    _send(at())
    collector.answer(503, {"Retry-After": "0"})
    _send(at(MAX_AGE_SECONDS - 10))
    assert len(at().outbox.names()) == 2
    assert _send(at(MAX_AGE_SECONDS + 10)).also_sent == 1


def test_a_waiting_report_goes_only_to_the_collector_it_was_made_for(at: OpenAt, collector: Collector) -> None:
    assert _send(at(0, "http://127.0.0.1:9")).fate is Fate.WAITING
    assert _send(at(60)).also_sent == 0
    assert len(collector.received) == 1


def test_files_are_private(at: OpenAt, collector: Collector, tmp_path: Path) -> None:
    collector.answer(503, {"Retry-After": "60"})
    _send(at())
    outbox = tmp_path / "state" / "outbox"
    assert stat.S_IMODE(outbox.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in outbox.iterdir()] == [0o600]
    assert stat.S_IMODE((tmp_path / "state" / "not-before").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"format":2,"report":"image-boot/1","url":"URL","body":"{}"}',
        b'{"format":1,"report":"image-boot/1","url":"URL","body":"[1]"}',
        b'{"format":1,"report":["image-boot/1"],"url":"URL","body":"{}"}',
        b'{"format":1,"report":"image-boot/1","url":"URL","body":"{\\"hostname\\":\\"db7\\"}"}',
    ],
)
def test_a_waiting_file_that_is_broken_or_not_permitted_is_removed_and_not_sent(
    content: bytes, at: OpenAt, collector: Collector, tmp_path: Path
) -> None:
    outbox = tmp_path / "state" / "outbox"
    outbox.mkdir()
    name = f"{int(NOW):010d}-0b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44.json"
    (outbox / name).write_bytes(content.replace(b"URL", collector.url.encode()))
    assert _send(at()).is_accepted
    assert list(outbox.iterdir()) == []
    assert len(collector.received) == 1


def test_what_a_power_cut_left_behind_is_cleaned_up(at: OpenAt, collector: Collector, tmp_path: Path) -> None:
    assert collector.connections == 0
    outbox = tmp_path / "state" / "outbox"
    outbox.mkdir()
    half = outbox / ".telemetry-abc"
    half.write_bytes(b"{")
    os.utime(half, (NOW, NOW))
    assert _send(at(10)).is_accepted
    assert half.exists()  # another process may still be writing it
    assert _send(at(7200)).is_accepted
    assert not half.exists()


def test_an_unwritable_state_directory_does_not_keep_a_report_from_being_sent(
    machine: BuildMachine, tmp_path: Path, collector: Collector
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    for directory in (str(blocked), str(blocked / "below"), ""):
        client = open_client(machine(), load_permits(), State(directory), NOW, url=collector.url, answer=True)
        assert _send(client).is_accepted
        collector.answer(503, {"Retry-After": "0"})
        assert _send(client).fate is Fate.LOST


def test_without_a_home_nothing_is_written_to_the_current_directory(
    machine: BuildMachine, tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    collector.answer(503, {"Retry-After": "60"})
    _send(open_client(machine(), load_permits(), State(""), NOW, url=collector.url, answer=True))
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("status", [202, 410, 422, 503])
def test_a_licence_key_is_sent_and_is_in_no_file(status: int, at: OpenAt, collector: Collector, tmp_path: Path) -> None:
    collector.answer(status, {"Retry-After": "60"}, body=json.dumps({"outcome": KEY, "field": KEY}).encode())
    result = _send(at(), LICENSED)
    assert collector.received[0].fields["license_key"] == KEY
    assert KEY not in result.message
    contents = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert contents
    assert not any(b"CANARY" in content for content in contents)
    if status == 503:
        assert result.fate is Fate.LOST
        assert "never kept" in result.message


def test_a_key_does_not_show_in_a_repr(machine: BuildMachine, tmp_path: Path) -> None:
    client = open_client(machine(), load_permits(), State(str(tmp_path)), NOW)
    assert KEY not in repr(LICENSED) + repr(client) + repr(client.compose(LICENSED))


def test_the_outbox_refuses_a_report_with_a_key(machine: BuildMachine, tmp_path: Path) -> None:
    client = open_client(machine(), load_permits(), State(str(tmp_path)), NOW)
    with pytest.raises(ValueError, match="never kept") as caught:
        client.outbox.put(client.compose(LICENSED), "https://telemetry.example.com", NOW)
    assert KEY not in str(caught.value)
