"""How often each client reports, how long it pauses, and which waiting reports it sends."""

from __future__ import annotations

import datetime as dt
import re
import time

import pytest

from tests.client.conformance.answers import Answer
from tests.client.conformance.clients import Client, Place, alone
from tests.client.conformance.listener import Listener
from tests.client.conformance.sending import BOOT_ID, INSTALLBUILDER, NGINX, agree, body_of, boot, entry, let_wait

REPORTED = "not sent: this boot was reported already"
TEN = "not sent: ten reports were made today, which is the limit"
ID = "11111111-2222-4333-8444-555555555555"
_CLOCK_SECONDS = 30
every_client = pytest.mark.parametrize("client", alone("limits"))
thorough_clients = pytest.mark.parametrize("client", alone("limits", thorough=True))


def _today() -> str:
    return str(dt.datetime.now(dt.UTC).date())


def _answer(status: int, **headers: str) -> bytes | None:
    return Answer("", status, {name.replace("_", "-"): value for name, value in headers.items()}).data("")


def _outcome(place: Place, client: Client, listener: Listener, *facts: str) -> tuple[str, str, int]:
    told = place.tell(client, "send", *(facts or NGINX), "--url", listener.url)
    return told["outcome"], told["message"], told["also_sent"]


@every_client
def test_a_boot_is_reported_once(client: Client, agreed: Place, listener: Listener) -> None:
    boot(agreed)
    assert _outcome(agreed, client, listener)[0] == "accepted"
    file = agreed.state / "last-boot"
    assert file.read_text() == f"boot = {BOOT_ID}/31\n"
    assert file.stat().st_mode & 0o777 == 0o644
    assert _outcome(agreed, client, listener) == ("already reported", REPORTED, 0)
    assert listener.connections == 1
    status = agreed.tell(client, "status", "--url", listener.url)
    assert (status["boot_is_reported"], status["reports_today"]) == (True, 1)


@thorough_clients
def test_the_next_boot_and_a_container_that_starts_again_are_reported(
    client: Client, agreed: Place, listener: Listener
) -> None:
    for number, name in enumerate(("systemd", "a) b (c", "sh 1 2 3")):
        boot(agreed, started=40 + number, name=name)
        assert _outcome(agreed, client, listener)[0] == "accepted"
        assert (agreed.state / "last-boot").read_text() == f"boot = {BOOT_ID}/{40 + number}\n"
    other = BOOT_ID.replace("7", "8")
    boot(agreed, boot_id=other)
    agreed.in_root("/proc/1/stat").unlink()
    assert _outcome(agreed, client, listener)[0] == "accepted"
    assert (agreed.state / "last-boot").read_text() == f"boot = {other}/\n"
    assert listener.connections == 4


@thorough_clients
def test_where_no_boot_is_known_each_send_reports(client: Client, agreed: Place, listener: Listener) -> None:
    for _ in range(2):
        assert _outcome(agreed, client, listener)[0] == "accepted"
    assert not (agreed.state / "last-boot").exists()
    assert listener.connections == 2


@every_client
def test_what_waits_is_sent_though_the_boot_is_reported(client: Client, agreed: Place, listener: Listener) -> None:
    boot(agreed)
    listener.script = [_answer(503, Retry_After="0")]
    assert _outcome(agreed, client, listener)[0] == "waiting"
    assert _outcome(agreed, client, listener) == ("already reported", REPORTED, 1)
    first, second = listener.requests
    assert first.body == second.body
    assert agreed.waiting() == []


@thorough_clients
def test_a_report_that_could_not_be_kept_counts_too(client: Client, agreed: Place, listener: Listener) -> None:
    boot(agreed)
    agreed.put(agreed.state / "outbox", "in the way")
    listener.script = [_answer(503, Retry_After="0")]
    outcome, message, _ = _outcome(agreed, client, listener)
    assert (outcome, message) == ("lost", "not sent (HTTP 503), and the outbox cannot be written")
    assert _outcome(agreed, client, listener)[0] == "already reported"
    assert (agreed.state / "today").read_text() == f"day = {_today()}\nreports = 1\n"


@thorough_clients
def test_installbuilder_runs_are_no_boots(client: Client, agreed: Place, listener: Listener) -> None:
    boot(agreed)
    for _ in range(2):
        assert _outcome(agreed, client, listener, *INSTALLBUILDER)[0] == "accepted"
    assert _outcome(agreed, client, listener)[0] == "accepted"
    assert (agreed.state / "today").read_text() == f"day = {_today()}\nreports = 3\n"


@every_client
def test_ten_reports_a_day(client: Client, agreed: Place, listener: Listener) -> None:
    agreed.put(agreed.state / "today", f"day = {_today()}\nreports = 9\n")
    assert _outcome(agreed, client, listener, *INSTALLBUILDER)[0] == "accepted"
    assert _outcome(agreed, client, listener) == ("already reported", TEN, 0)
    assert _outcome(agreed, client, listener, *INSTALLBUILDER) == ("already reported", TEN, 0)
    assert listener.connections == 1
    assert agreed.tell(client, "status")["reports_today"] == 10


@thorough_clients
@pytest.mark.parametrize(
    "text",
    ["day = 2026-01-02\nreports = 10\n", "reports = 10\n", "day = {today}\nreports = many\n", "\0\n", ""],
    ids=["another day", "no day", "no number", "garbage", "empty"],
)
def test_a_count_of_another_day_or_none_does_not_limit(
    client: Client, agreed: Place, listener: Listener, text: str
) -> None:
    agreed.put(agreed.state / "today", text.replace("{today}", _today()))
    assert _outcome(agreed, client, listener)[0] == "accepted"
    assert (agreed.state / "today").read_text() == f"day = {_today()}\nreports = 1\n"


@thorough_clients
def test_what_cannot_be_written_does_not_limit(client: Client, agreed: Place, listener: Listener) -> None:
    boot(agreed)
    for name in ("today", "last-boot"):
        (agreed.state / name).mkdir()
    for _ in range(2):
        assert _outcome(agreed, client, listener)[0] == "accepted"


@thorough_clients
def test_a_dry_run_is_not_limited_and_counts_nothing(client: Client, agreed: Place, listener: Listener) -> None:
    boot(agreed)
    agreed.put(agreed.state / "today", f"day = {_today()}\nreports = 10\n")
    agreed.put(agreed.state / "last-boot", f"boot = {BOOT_ID}/31\n")
    assert agreed.tell(client, "send", "--dry-run", *NGINX, "--url", listener.url)["outcome"] == "valid"
    assert (agreed.state / "today").read_text() == f"day = {_today()}\nreports = 10\n"


@thorough_clients
@pytest.mark.parametrize("failures", [1, 2, 4, 8, 9, 30])
def test_pause_doubles_up_to_six_hours(client: Client, agreed: Place, listener: Listener, failures: int) -> None:
    now = int(time.time())
    agreed.put(agreed.state / "not-before", f"url = {listener.url}\nnot_before = {now - 1}\nfailures = {failures}\n")
    listener.script = [_answer(500)]
    assert _outcome(agreed, client, listener)[0] == "waiting"
    until = _not_before(agreed, listener.url, failures + 1)
    assert now <= until <= now + min(6 * 3600, 60 * 2**failures) + _CLOCK_SECONDS


@thorough_clients
def test_pause_is_random(client: Client, agreed: Place, listener: Listener) -> None:
    pauses = []
    for _ in range(4):
        now = int(time.time())
        agreed.put(agreed.state / "not-before", f"url = {listener.url}\nnot_before = 1\nfailures = 40\n")
        listener.script = [_answer(500)]
        _outcome(agreed, client, listener)
        pauses.append(_not_before(agreed, listener.url, 41) - now)
    # Four numbers up to 21600 lie within a twentieth of it in one of ten thousand runs.
    assert max(pauses) - min(pauses) > 1080, pauses


@thorough_clients
def test_failures_at_another_collector_do_not_count(client: Client, agreed: Place, listener: Listener) -> None:
    agreed.put(agreed.state / "not-before", "url = https://example.com\nnot_before = 99999999999\nfailures = 40\n")
    listener.script = [_answer(500)]
    assert _outcome(agreed, client, listener)[0] == "waiting"
    assert _not_before(agreed, listener.url, 1) <= time.time() + 60


@thorough_clients
@pytest.mark.parametrize("status", [202, 422])
def test_an_answer_ends_the_pause(client: Client, agreed: Place, listener: Listener, status: int) -> None:
    agreed.put(agreed.state / "not-before", f"url = {listener.url}\nnot_before = 1\nfailures = 5\n")
    listener.script = [_answer(status)]
    _outcome(agreed, client, listener)
    assert not (agreed.state / "not-before").exists()


@every_client
def test_nothing_is_posted_during_a_pause(client: Client, agreed: Place, listener: Listener) -> None:
    until = int(time.time()) + 1000
    text = f"url = {listener.url}\nnot_before = {until}\nfailures = 2\n"
    agreed.put(agreed.state / "not-before", text)
    outcome, message, _ = _outcome(agreed, client, listener)
    told = re.fullmatch(
        r"not sent \(the collector is left alone for another ([0-9]+) s\); it waits in the outbox", message
    )
    assert outcome == "waiting"
    assert told, message
    assert 1000 - _CLOCK_SECONDS <= int(told[1]) <= 1000
    assert len(agreed.waiting()) == 1
    assert (agreed.state / "not-before").read_text() == text
    assert 1000 - _CLOCK_SECONDS <= agreed.tell(client, "status", "--url", listener.url)["seconds_to_wait"] <= 1000
    assert listener.connections == 0


@thorough_clients
@pytest.mark.parametrize(
    "text",
    [
        "url = {url}\nnot_before = {later}\nfailures = 1\n",
        "url = {url}\nnot_before = soon\nfailures = x\n",
        "not_before = {soon}\n",
        "\0\0\n",
    ],
    ids=["longer than a day", "no number", "no url", "garbage"],
)
def test_a_pause_that_cannot_be_is_none(client: Client, agreed: Place, listener: Listener, text: str) -> None:
    now = int(time.time())
    for name, value in (("url", listener.url), ("later", str(now + 90_000)), ("soon", str(now + 900))):
        text = text.replace(f"{{{name}}}", value)
    agreed.put(agreed.state / "not-before", text)
    assert _outcome(agreed, client, listener)[0] == "accepted"


@every_client
def test_outbox_goes_out_after_the_new_report_and_oldest_first(
    client: Client, agreed: Place, listener: Listener
) -> None:
    now = int(time.time())
    waiting = [let_wait(agreed, listener.url, now - age).read_text() for age in (500, 300, 100)]
    other = let_wait(agreed, "https://other.example.com", now - 400)
    assert _outcome(agreed, client, listener) == (
        "accepted",
        "accepted: the report is on the collector's disk",
        3,
    )
    assert [entry(listener.url, request.body.decode()) for request in listener.requests[1:]] == waiting
    assert agreed.waiting() == [other]


@every_client
def test_what_is_not_ours_is_deleted_and_not_sent(client: Client, agreed: Place, listener: Listener) -> None:
    now = int(time.time())
    good = entry(listener.url, body_of(ID))
    key = '{"product":"installbuilder","product_version":"1","license_key":"EXAMPLE8"}'
    bad = {
        "blanks": good.replace('{"format":1,"report"', '{"format": 1, "report"'),
        "a line end": good + "\n",
        "another order": good.replace('"format":1,"report":"image-boot/1"', '"report":"image-boot/1","format":1'),
        "another format": good.replace('"format":1', '"format":2'),
        "another report": good.replace("image-boot/1", "image-boot/2"),
        "a fifth key": good.replace('"url"', '"more":1,"url"'),
        "not ASCII": good.replace("nginx", "ngïnx"),
        "an escape": good.replace("nginx", "\\u006eginx"),
        "half": good[:-20],
        "nothing": "\n",
        "no object": "[]",
        "a field that is not permitted": entry(listener.url, body_of(ID, hostname="secret")),
        "a value that is not permitted": entry(listener.url, body_of(ID, language="secret value")),
        "a body with blanks": entry(listener.url, body_of(ID).replace(",", ", ")),
        "a body in another order": entry(listener.url, '{"product":"nginx","source":"vm","product_version":"1"}'),
        "a licence key": entry(listener.url, key, "installbuilder-run/1"),
    }
    texts = [*bad.values()]
    for number, some in enumerate((texts[:8], texts[8:]), start=1):
        for text in some:
            let_wait(agreed, listener.url, now - 200, text)
        let_wait(agreed, listener.url, now - 100)
        let_wait(agreed, listener.url, now - 8 * 24 * 3600)
        let_wait(agreed, listener.url, now + 8 * 24 * 3600)
        assert _outcome(agreed, client, listener)[2] == 1
        assert listener.connections == 2 * number
        assert agreed.waiting() == []


@thorough_clients
def test_nothing_from_before_the_stored_yes_is_sent(client: Client, place: Place, listener: Listener) -> None:
    now = int(time.time())
    agree(place, now - 100)
    let_wait(place, listener.url, now - 101)
    let_wait(place, listener.url, now - 99)
    assert _outcome(place, client, listener)[2] == 1
    assert place.waiting() == []


@thorough_clients
def test_sixteen_wait_at_most_and_the_newest(client: Client, agreed: Place, listener: Listener) -> None:
    now = int(time.time())
    waiting = [let_wait(agreed, listener.url, now - 1000 + age) for age in range(20)]
    listener.script = [_answer(503, Retry_After="100")]
    assert _outcome(agreed, client, listener)[0] == "waiting"
    kept = agreed.waiting()
    assert kept[:-1] == waiting[5:]
    assert len(kept) == 16


@every_client
def test_a_waiting_report_that_is_not_taken_ends_the_round(client: Client, agreed: Place, listener: Listener) -> None:
    now = int(time.time())
    first, second, third = [let_wait(agreed, listener.url, now - age) for age in (300, 200, 100)]
    listener.script = [_answer(202), _answer(422), _answer(503, Retry_After="77")]
    assert _outcome(agreed, client, listener)[2] == 0
    assert not first.exists()
    assert agreed.waiting() == [second, third]
    assert now + 77 <= _not_before(agreed, listener.url, 1) <= now + 77 + _CLOCK_SECONDS


@thorough_clients
def test_a_stop_empties_the_outbox(client: Client, agreed: Place, listener: Listener) -> None:
    for age in (300, 200):
        let_wait(agreed, listener.url, int(time.time()) - age)
    listener.script = [_answer(202), _answer(410)]
    assert _outcome(agreed, client, listener) == ("accepted", "accepted: the report is on the collector's disk", 0)
    assert agreed.waiting() == []
    assert (agreed.state / "stopped").exists()
    assert agreed.tell(client, "status")["is_stopped"] is True


def _not_before(place: Place, url: str, failures: int) -> int:
    text = (place.state / "not-before").read_text()
    match = re.fullmatch(rf"url = {re.escape(url)}\nnot_before = ([0-9]+)\nfailures = {failures}\n", text)
    assert match, text
    return int(match[1])
