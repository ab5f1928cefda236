from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.reports.access import sessions, tokens
from collector.reports.access.attempts import Attempts
from tests.reports.access.conftest import PAGE, Clock, Dashboard, Open

HOUR, DAY = 3600, 86_400
URL = "https://usage.example.com"


async def opens(dashboard: Dashboard, cookie: str) -> bool:
    answer = await dashboard.ask("/", Cookie=cookie)
    assert (answer.status, PAGE in answer.body) in {(200, True), (303, False)}
    return answer.status == 200


def is_seen(dashboard: Dashboard) -> None:
    """Writes what the trail would within a second of the real clock."""
    with dashboard.ledger.writing() as writing:
        for (session,) in dashboard.ledger.rows("SELECT digest FROM session"):
            sessions.note_seen(writing, session, int(dashboard.clock()))


async def form_token_of(dashboard: Dashboard, cookie: str) -> str:
    (found,) = re.findall("form_token=([0-9a-f]*)", (await dashboard.ask("/", Cookie=cookie)).body)
    return found


async def test_person_signs_in_goes_on_and_signs_out(dashboard: Dashboard) -> None:
    token = dashboard.token("alice")
    answer = await dashboard.post("/sign-in", {"token": f" {token}\n", "next": "/?product=wordpress"})
    assert (answer.status, answer["Location"]) == (303, "/?product=wordpress")
    cookie = answer.cookie
    assert "alice viewer session" in (await dashboard.ask("/", Cookie=cookie)).body
    given = await form_token_of(dashboard, cookie)
    out = await dashboard.post("/sign-out", {"form_token": given}, Cookie=cookie)
    assert (out.status, out["Location"], out["Clear-Site-Data"]) == (303, "/sign-in", '"cache"')
    assert "Max-Age=0" in out["Set-Cookie"]
    assert not await opens(dashboard, cookie)
    assert (await dashboard.with_token(token, "/v1/usage")).status == 200, "the token lives on"


async def test_cookie_is_for_this_site_and_no_script(dashboard: Dashboard) -> None:
    answer = await dashboard.post("/sign-in", {"token": dashboard.token()})
    name, _, rest = answer["Set-Cookie"].partition("=")
    assert name == "product_telemetry_session"
    value, *attributes = rest.split("; ")
    assert re.fullmatch("[0-9a-f]{64}", value)
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict"}


async def test_cookie_behind_tls_is_secure_and_bound_to_the_host(open_dashboard: Open) -> None:
    async with open_dashboard(reports_url=URL) as dashboard:
        token = dashboard.token()
        answer = await dashboard.post("/sign-in", {"token": token}, Host="usage.example.com", Origin=URL)
        assert answer["Set-Cookie"].startswith("__Host-product_telemetry_session=")
        assert {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"} <= set(answer["Set-Cookie"].split("; "))
        assert "Domain" not in answer["Set-Cookie"]
        assert await opens(dashboard, answer.cookie)
        assert not await opens(dashboard, answer.cookie.removeprefix("__Host-"))
        out = await dashboard.post("/sign-out", {}, Origin=URL)
        assert {"Secure", "HttpOnly"} <= set(out["Set-Cookie"].split("; "))


async def test_forged_cookie_opens_nothing(dashboard: Dashboard) -> None:
    cookie = await dashboard.sign_in(dashboard.token())
    name, _, value = cookie.partition("=")
    kept = dashboard.ledger.rows("SELECT digest FROM session")[0][0].hex()
    for forged in (kept, value[:-1], value.upper(), "0" * 64, "", "é", f'"{value}x"', dashboard.token("other")):
        assert not await opens(dashboard, f"{name}={forged}"), forged
    assert await opens(dashboard, cookie)


async def test_session_ends_with_its_token(dashboard: Dashboard) -> None:
    cookie = await dashboard.sign_in(dashboard.token("stolen"))
    assert await opens(dashboard, cookie)
    tokens.revoke(dashboard.ledger, "stolen", int(dashboard.clock()), "tests")
    assert not await opens(dashboard, cookie)
    assert dashboard.ledger.rows("SELECT * FROM session") == []
    cookie = await dashboard.sign_in(dashboard.token("short", days=1))
    for _ in range(3):
        dashboard.clock.seconds += 7 * HOUR
        assert await opens(dashboard, cookie)
        is_seen(dashboard)
    dashboard.clock.seconds += 3 * HOUR
    assert not await opens(dashboard, cookie)


async def test_session_whose_row_outlives_its_token_opens_nothing(dashboard: Dashboard) -> None:
    cookie = await dashboard.sign_in(dashboard.token())
    with dashboard.ledger.writing() as writing:
        writing.execute("UPDATE token SET revoked_at = 1")
    assert not await opens(dashboard, cookie)


async def test_session_ends_when_idle_for_12_hours(dashboard: Dashboard) -> None:
    cookie = await dashboard.sign_in(dashboard.token())
    dashboard.clock.seconds += 12 * HOUR - 1
    assert await opens(dashboard, cookie)
    dashboard.clock.seconds += 12 * HOUR
    assert not await opens(dashboard, cookie)


async def test_session_ends_after_7_days_however_much_it_is_used(open_dashboard: Open) -> None:
    async with open_dashboard() as dashboard:
        cookie = await dashboard.sign_in(dashboard.token())
        for _ in range(2 * 7 - 1):
            dashboard.clock.seconds += 12 * HOUR - 1
            assert await opens(dashboard, cookie)
            is_seen(dashboard)
        dashboard.clock.seconds += 12 * HOUR - 1
        assert await opens(dashboard, cookie)
        is_seen(dashboard)
        dashboard.clock.seconds += 14
        assert not await opens(dashboard, cookie)


async def test_use_of_a_session_is_remembered_within_a_second_or_so(dashboard: Dashboard) -> None:
    import asyncio

    cookie = await dashboard.sign_in(dashboard.token())
    dashboard.clock.seconds += 5
    assert await opens(dashboard, cookie)
    for _ in range(100):
        if dashboard.ledger.rows("SELECT seen_at - made_at FROM session") == [(5,)]:
            break
        await asyncio.sleep(0.05)
    assert dashboard.ledger.rows("SELECT seen_at - made_at FROM session") == [(5,)]


async def test_new_sign_in_replaces_the_browsers_earlier_session(dashboard: Dashboard) -> None:
    token = dashboard.token()
    first = await dashboard.sign_in(token)
    second = await dashboard.sign_in(token, Cookie=first)
    assert first != second
    assert not await opens(dashboard, first)
    assert await opens(dashboard, second)


async def test_chosen_cookie_is_never_taken_over(dashboard: Dashboard) -> None:
    """An attacker who plants a cookie before the sign-in knows nothing afterwards."""
    planted = f"product_telemetry_session={'a' * 64}"
    assert await dashboard.sign_in(dashboard.token(), Cookie=planted) != planted
    assert not await opens(dashboard, planted)


@pytest.mark.parametrize("origin", [None, "", "null", "https://evil.example", "http://localhost:1", URL])
async def test_page_of_another_site_signs_nobody_in_or_out(dashboard: Dashboard, origin: str | None) -> None:
    token = dashboard.token()
    answer = await dashboard.post("/sign-in", {"token": token}, Origin=origin)
    assert (answer.status, answer.all("Set-Cookie")) == (403, [])
    # Nor with a token beside the form, which the gate would let pass elsewhere.
    beside = await dashboard.post("/sign-in", {"token": token}, Origin=origin, Authorization=f"Bearer {token}")
    assert (beside.status, beside.all("Set-Cookie")) == (403, [])
    cookie = await dashboard.sign_in(token)
    given = await form_token_of(dashboard, cookie)
    assert (await dashboard.post("/sign-out", {"form_token": given}, Cookie=cookie, Origin=origin)).status == 403
    assert await opens(dashboard, cookie)


async def test_sign_out_takes_a_form_of_the_same_session(dashboard: Dashboard) -> None:
    token = dashboard.token()
    mine, other = await dashboard.sign_in(token), await dashboard.sign_in(token)
    others = await form_token_of(dashboard, other)
    for form in ({}, {"form_token": ""}, {"form_token": others}, {"form_token": "é"}, {"x": others}):
        assert (await dashboard.post("/sign-out", form, Cookie=mine)).status == 403, form
        assert await opens(dashboard, mine)
    assert (await dashboard.ask("/sign-out", Cookie=mine)).status in {303, 405}
    assert await opens(dashboard, mine), "a link signs nobody out"
    assert others not in mine + other
    assert (await dashboard.post("/sign-out", {})).status == 303, "who is not signed in goes to the sign-in page"


ELSEWHERE = [
    *("//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\\/evil.example", "/a\\..\\..\\"),
    *(
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.example",
        "HTTP://x",
    ),
    *("/./ /evil.example", "/.//evil.example", "/..//evil.example", "/a/..//evil.example", "/a//b", "/%0d%0a\r\nX: y"),
    *(
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "/ /evil",
        "\t/x",
        "/\x00/x",
        "/é",
        "/x\u2028",
        "?x",
        "#x",
    ),
    *("", "/" + "a" * 3000, "/sign-in", "/sign-in?next=/x", "/sign-out", '/"><script>', "/'x<", "/a/./b", "/.."),
]


async def test_sign_in_leads_nowhere_but_home(dashboard: Dashboard) -> None:
    token = dashboard.token()
    for given in ELSEWHERE:
        answer = await dashboard.post("/sign-in", {"token": token, "next": given})
        assert (answer.status, answer["Location"]) == (303, "/"), given
        failed = await dashboard.post("/sign-in", {"token": "wrong", "next": given})
        assert 'name="next" value="/"' in failed.body, given
        assert 'href="/"' in failed.body, given


async def test_next_is_kept_through_failures_and_escaped(dashboard: Dashboard) -> None:
    page = await dashboard.ask("/sign-in?next=%2Fusage%3Fa%3Db%26c%3Dd")
    assert 'name="next" value="/usage?a=b&amp;c=d"' in page.body
    failed = await dashboard.post("/sign-in", {"token": "x", "next": "/usage?a=b&c=d"})
    assert (failed.status, 'value="/usage?a=b&amp;c=d"' in failed.body) == (401, True)


async def test_unknown_expired_and_revoked_take_the_same_way_and_say_the_same(dashboard: Dashboard) -> None:
    now = int(dashboard.clock())
    expired, revoked = dashboard.token("expired", days=1), dashboard.token("revoked", days=9)
    dashboard.clock.seconds += 2 * DAY
    tokens.revoke(dashboard.ledger, "revoked", now, "tests")
    answers, statements = [], []
    for token in ("ptel_" + "0" * 64, expired, revoked):
        asked: list[str] = []
        dashboard.ledger._reader.set_trace_callback(lambda sql, asked=asked: asked.append(sql.partition("x'")[0]))
        answer = await dashboard.post("/sign-in", {"token": token})
        dashboard.ledger._reader.set_trace_callback(None)
        headers = [(name, value) for name, value in answer.headers if name != "Date"]
        answers.append((answer.status, headers, answer.body))
        statements.append(asked)
    assert answers[0][0] == 401
    assert answers[0] == answers[1] == answers[2]
    assert statements[0] == statements[1] == statements[2]
    assert len(statements[0]) == 1


def test_all_comparisons_of_a_refusal_are_made(ledger, monkeypatch) -> None:
    """Structure in place of a stopwatch: the digests are compared, and life is asked for, whatever was given."""
    _, live = tokens.create(ledger, "live", "viewer", 1, 0, "tests")
    compared, asked = [], []
    compare, is_live = tokens.hmac.compare_digest, tokens.Token.is_live
    monkeypatch.setattr(tokens.hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or compare(a, b))
    monkeypatch.setattr(tokens.Token, "is_live", lambda token, now: asked.append(now) or is_live(token, now))
    assert tokens.check(ledger, live, 5) is not None
    assert tokens.check(ledger, "unknown", 5) is None
    assert tokens.check(ledger, live, 5 * DAY) is None
    assert compared == [(32, 32)] * 3
    assert asked == [5, 5, 5 * DAY]


async def test_one_address_may_try_ten_times(open_dashboard: Open) -> None:
    async with open_dashboard(trusted_proxies="127.0.0.1") as dashboard:
        token = dashboard.token()

        async def attempt(address: str, given: str) -> int:
            answer = await dashboard.post("/sign-in", {"token": given}, X_Forwarded_For=address)
            if answer.status == 429:
                assert int(answer["Retry-After"]) > 0
                assert "Too many attempts" in answer.body
            return answer.status

        assert [await attempt("198.51.100.1", "wrong") for _ in range(12)] == [401] * 10 + [429] * 2
        assert await attempt("198.51.100.1", token) == 429, "a good token would tell that it is one"
        assert await attempt("198.51.100.2", token) == 303
        assert (await dashboard.with_token(token, "/v1/usage", X_Forwarded_For="198.51.100.1")).status == 200


def test_all_addresses_together_are_bounded() -> None:
    import ipaddress

    clock = Clock(0)
    attempts = Attempts(clock)
    addresses = [ipaddress.ip_address(0xC6336400 + n) for n in range(300)]
    assert sum(attempts.admits(address) for address in addresses) == 200
    assert not attempts.admits(None)
    clock.seconds = 10
    assert sum(attempts.admits(address) for address in addresses) == 20


def test_one_address_cannot_use_up_what_all_have() -> None:
    import ipaddress

    attempts = Attempts(Clock(0))
    assert sum(attempts.admits(ipaddress.ip_address("198.51.100.1")) for _ in range(1000)) == 10
    assert attempts.admits(ipaddress.ip_address("198.51.100.2"))


async def test_form_is_read_within_bounds(dashboard: Dashboard) -> None:
    token = dashboard.token()
    origin = dashboard.origin
    multipart = f'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n{token}\r\n--b--\r\n'
    asked = {
        415: dashboard.ask(
            "/sign-in", "POST", multipart, Origin=origin, Content_Type="multipart/form-data; boundary=b"
        ),
        413: dashboard.ask("/sign-in", "POST", "token=" + "x" * 20_000, Origin=origin),
        400: dashboard.ask("/sign-in", "POST", "a=b&" * 30, Origin=origin),
    }
    for status, asking in asked.items():
        answer = await asking
        assert (answer.status, answer.all("Set-Cookie")) == (status, [])
    assert (await dashboard.ask("/sign-in", "POST", "token=%ff%fe", Origin=origin)).status == 400
    assert (await dashboard.ask("/sign-in", "POST", f"token=x&token={token}", Origin=origin)).status == 401


def test_pages_are_whole_without_scripts_or_styles_of_their_own() -> None:
    """The policy of the pages forbids both, so a template that has them would look broken."""
    from collector.reports.access.rendering import TEMPLATES

    for path in Path(TEMPLATES).glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", text), path.name
        if path.name in {"sign_in.html", "refused.html"}:
            assert '<html lang="en">' in text or "extends" in text
