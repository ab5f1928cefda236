from __future__ import annotations

import asyncio
import datetime as dt

import pytest
import structlog

from collector import logs
from collector.reports.access import audit, sessions, tokens, trail
from collector.reports.access.audit import Line, by_command, expire, lines, months_before, record
from collector.reports.access.ledger import Ledger, LedgerError
from tests.reports.access.conftest import Dashboard, Open

EPOCH = dt.date(1970, 1, 1)
DAY = 86_400


def seconds(day: dt.date) -> int:
    return (day - EPOCH).days * DAY


def viewed(ledger: Ledger) -> list[tuple]:
    found = [line for line in lines(ledger, EPOCH) if line.event == "viewed"]
    return [(line.who, line.role, line.how, line.path, line.query, line.status) for line in found]


async def test_each_view_and_download_is_a_line_and_nothing_else_is(open_dashboard: Open, ledger: Ledger) -> None:
    async with open_dashboard(trusted_user_header="X-User", trusted_user_proxies="127.0.0.2") as dashboard:
        token, admin = dashboard.token("alice"), dashboard.token("root", "admin")
        cookie = await dashboard.sign_in(token)
        await dashboard.with_token(token, "/v1/usage?product=wordpress&by=a%2Cb&format=csv")
        await dashboard.ask("/?q=1", Cookie=cookie)
        await dashboard.ask("/", source="127.0.0.2", X_User="bob")
        await dashboard.with_token(token, "/admin")
        await dashboard.with_token(admin, "/admin")
        await dashboard.with_token(token, "/none")
        await dashboard.with_token(token, "/v1/broken")
        for path in ("/v1/usage", "/", "/livez", "/static/style.css", "/sign-in"):
            await dashboard.ask(path)
    assert viewed(ledger) == [
        ("alice", "viewer", "token", "/v1/usage", "product=wordpress&by=a%2Cb&format=csv", 200),
        ("alice", "viewer", "session", "/", "q=1", 200),
        ("bob", "viewer", "proxy", "/", "", 200),
        ("alice", "viewer", "token", "/admin", "", 403),
        ("root", "admin", "token", "/admin", "", 200),
        ("alice", "viewer", "token", "/none", "", 404),
        ("alice", "viewer", "token", "/v1/broken", "", 500),
    ]
    others = [line for line in lines(ledger, EPOCH) if line.event != "viewed"]
    assert [(line.event, line.who, line.how) for line in others] == [
        ("token_created", "tests", "command"),
        ("token_created", "tests", "command"),
        ("signed_in", "alice", "session"),
    ]
    assert {line.at for line in lines(ledger, EPOCH)} == {int(dashboard.clock())}
    used = {token.name: token.last_used_on for token in tokens.every(ledger)}
    assert used == {"alice": "2026-09-21", "root": "2026-09-21"}


async def test_sign_ins_and_outs_are_lines_without_what_was_tried(open_dashboard: Open, ledger: Ledger) -> None:
    async with open_dashboard() as dashboard:
        token = dashboard.token("alice")
        cookie = await dashboard.sign_in(token)
        page = (await dashboard.ask("/", Cookie=cookie)).body
        given = page.partition("form_token=")[2].rstrip(".")
        await dashboard.post("/sign-out", {"form_token": given}, Cookie=cookie)
        await dashboard.post("/sign-in", {"token": "canary"})
        await dashboard.with_token("canary", "/v1/usage")
    events = [(line.event, line.who, line.how) for line in lines(ledger, EPOCH) if line.event != "viewed"]
    assert events[1:] == [
        ("signed_in", "alice", "session"),
        ("signed_out", "alice", "session"),
        ("sign_in_failed", "", "session"),
        ("sign_in_failed", "", "token"),
    ]
    written = repr(lines(ledger, EPOCH))
    for secret in ("canary", token, cookie.partition("=")[2], given, "127.0.0.1"):
        assert secret not in written


async def test_question_that_holds_a_token_or_odd_bytes_is_not_written_down(
    open_dashboard: Open, ledger: Ledger
) -> None:
    async with open_dashboard() as dashboard:
        token = dashboard.token("alice")
        for path in (f"/v1/usage?access_token={token}", f"/{token}", f"/v1/usage?t={token.replace('_', '%5f')}"):
            await dashboard.with_token(token, path)
        await dashboard.with_token(token, "/v1/usage?a=\u00e9\u202e")
        await dashboard.with_token(token, "/v1/usage?a=" + "b" * 4000)
    written = viewed(ledger)
    assert [(path, query) for *_, path, query, _ in written[:3]] == [
        ("/v1/usage", "(held a token)"),
        ("(held a token)", ""),
        ("/v1/usage", "(held a token)"),
    ]
    for *_, query, _ in written:
        assert query.isascii()
        assert len(query) <= 2000
    assert token[5:] not in repr(written)


async def test_line_is_on_disk_within_about_a_second(dashboard: Dashboard) -> None:
    await dashboard.with_token(dashboard.token(), "/v1/usage")
    for _ in range(100):
        if viewed(dashboard.ledger):
            return
        await asyncio.sleep(0.05)
    pytest.fail("no line after 5 seconds")


async def test_many_failures_do_not_fill_the_trail(open_dashboard: Open, ledger: Ledger) -> None:
    async with open_dashboard() as dashboard:
        for _ in range(130):
            assert (await dashboard.with_token("wrong", "/v1/usage")).status == 401
    failed = [line for line in lines(ledger, EPOCH) if line.event == "sign_in_failed"]
    assert len(failed) == 100


async def test_nobody_is_answered_while_too_many_lines_wait(dashboard: Dashboard, monkeypatch) -> None:
    token = dashboard.token()
    monkeypatch.setattr(trail, "_MOST_WAITING", 0)
    assert (await dashboard.with_token(token, "/v1/usage")).status == 503
    assert dashboard.seen == []


async def test_lines_that_cannot_be_written_wait_and_it_is_logged_once(ledger: Ledger, capsys) -> None:
    waiting = trail.Trail(ledger)
    token, _ = tokens.create(ledger, "alice", "viewer", 9, 0, "tests")
    cookie = sessions.begin(ledger, token, None, 0)
    with ledger.writing() as writing:
        writing.execute("ALTER TABLE audit RENAME TO gone")
    waiting.note(Line(1, "viewed", "canary"))
    waiting.note_used(token.id, EPOCH)
    waiting.note_seen(trail.sessions.digest(cookie), 7)
    logs.configure("json", "test")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trail, "_FLUSH_EVERY_SECONDS", 0.01)
            task = asyncio.create_task(trail.look_after(ledger, waiting, lambda: 0))
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    written = capsys.readouterr().err
    assert written.count("audit_not_written") == 1
    assert "canary" not in written
    with ledger.writing() as writing:
        writing.execute("ALTER TABLE gone RENAME TO audit")
    waiting.note(Line(2, "viewed", "later"))
    waiting.flush()
    assert [line.who for line in lines(ledger, EPOCH) if line.event == "viewed"] == ["canary", "later"]
    assert ledger.rows("SELECT last_used_on FROM token") == [("1970-01-01",)]
    assert ledger.rows("SELECT seen_at FROM session") == [(7,)]
    waiting.flush()
    assert len(viewed(ledger)) == 2


def test_error_of_a_flush_is_told(ledger: Ledger) -> None:
    waiting = trail.Trail(ledger)
    waiting.note(Line(1, "viewed"))
    with ledger.writing() as writing:
        writing.execute("DROP TABLE audit")
    with pytest.raises(LedgerError):
        waiting.flush()


def test_lines_are_kept_for_13_months(ledger: Ledger) -> None:
    today = dt.date(2026, 11, 25)
    days = [dt.date(2025, 10, 24), dt.date(2025, 10, 25), dt.date(2026, 11, 25)]
    with ledger.writing() as writing:
        record(writing, [Line(seconds(day) + second, "viewed") for day in days for second in (0, DAY - 1)])
    assert expire(ledger, today) == 2
    assert [line.at for line in lines(ledger, EPOCH)] == [
        seconds(day) + second for day in days[1:] for second in (0, DAY - 1)
    ]
    assert expire(ledger, today) == 0
    assert len(lines(ledger, days[2])) == 2


def test_tokens_that_ended_go_with_the_lines_about_them(ledger: Ledger) -> None:
    now = seconds(dt.date(2025, 1, 1))
    tokens.create(ledger, "expired", "viewer", 1, now, "tests")
    tokens.create(ledger, "revoked", "viewer", 3000, now, "tests")
    tokens.create(ledger, "live", "viewer", 3000, now, "tests")
    tokens.revoke(ledger, "revoked", now + DAY, "tests")
    expire(ledger, dt.date(2026, 1, 31))
    assert len(tokens.every(ledger)) == 3
    expire(ledger, dt.date(2026, 3, 1))
    assert [token.name for token in tokens.every(ledger)] == ["live"]


def test_sessions_that_ended_are_swept(ledger: Ledger) -> None:
    names = {"idle": 0, "old": 0, "ok": 7 * DAY, "dead": 7 * DAY, "short": 7 * DAY}
    for name, made in names.items():
        token, _ = tokens.create(ledger, name, "viewer", 7 if name == "short" else 99, 0, "tests")
        cookie = sessions.begin(ledger, token, None, made)
        with ledger.writing() as writing:
            if name == "old":
                sessions.note_seen(writing, audit_digest(cookie), 7 * DAY)
            if name == "dead":
                writing.execute("UPDATE token SET revoked_at = 1 WHERE id = ?", (token.id,))
    trail.sweep(ledger, 7 * DAY)
    rows = ledger.rows("SELECT t.name FROM session s JOIN token t ON t.id = s.token")
    assert rows == [("ok",)]


def audit_digest(cookie: str) -> bytes:
    return sessions.digest(cookie)


@pytest.mark.parametrize(
    ("day", "before"),
    [
        (dt.date(2026, 11, 25), dt.date(2025, 10, 25)),
        (dt.date(2026, 1, 31), dt.date(2024, 12, 31)),
        (dt.date(2026, 3, 31), dt.date(2025, 2, 28)),
        (dt.date(2025, 3, 30), dt.date(2024, 2, 29)),
        (dt.date(2026, 12, 1), dt.date(2025, 11, 1)),
    ],
)
def test_months_are_of_the_calendar(day: dt.date, before: dt.date) -> None:
    assert months_before(day, audit.KEPT_MONTHS) == before


def test_text_on_a_terminal_is_harmless() -> None:
    line = by_command(0, "token_created", "o\x1b]0;x\x07", "a\nb")
    assert (line.who, line.about) == ("o?]0;x?", "a?b")
