from __future__ import annotations

import pytest
import structlog
from blockbuster import blockbuster_ctx

from collector import logs
from collector.reports.access import tokens
from tests.reports.access.conftest import COUNTS, FOR_ADMINS, PAGE, STYLE, Dashboard, Open

CANARY = "canary-of-a-request"
PROXY = {"trusted_user_header": "X-User", "trusted_user_proxies": "127.0.0.2"}
PROXYS_ADDRESS = "127.0.0.2"


async def test_stranger_is_told_how_to_get_a_token(dashboard: Dashboard) -> None:
    answer = await dashboard.ask("/v1/usage")
    assert answer.status == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"].startswith("application/json")
    assert '"error"' in answer.body
    assert "collector token create" in answer.body
    assert (await dashboard.ask("/openapi.json")).status == 401
    assert dashboard.seen == []


@pytest.mark.parametrize(
    ("path", "location"),
    [("/", "/sign-in"), ("/products?q=a%26b", "/sign-in?next=%2Fproducts%3Fq%3Da%2526b"), ("//x.example", "/sign-in")],
)
async def test_strangers_browser_goes_to_the_sign_in_page_and_back(
    dashboard: Dashboard, path: str, location: str
) -> None:
    answer = await dashboard.ask(path)
    assert (answer.status, answer["Location"]) == (303, location)
    assert (await dashboard.ask(path, "POST", "a=b", Origin=dashboard.origin)).status == 401


async def test_public_places_answer_strangers(dashboard: Dashboard) -> None:
    for path, text in {"/livez": "alive", "/static/style.css": STYLE, "/sign-in": "<form"}.items():
        answer = await dashboard.ask(path)
        assert (answer.status, text in answer.body) == (200, True), path


async def test_token_opens_pages_and_api(dashboard: Dashboard) -> None:
    token = dashboard.token("alice")
    for path, text in {"/v1/usage?product=x": COUNTS, "/": PAGE}.items():
        answer = await dashboard.with_token(token, path)
        assert answer.status == 200
        assert f"{text} alice viewer token" in answer.body
    assert (await dashboard.ask("/v1/usage", Authorization=f"bEARER  {token}")).status == 200


async def test_what_is_no_token_opens_nothing(dashboard: Dashboard) -> None:
    token = dashboard.token()
    cookie = await dashboard.sign_in(token)
    _, _, value = cookie.partition("=")
    wrong = [token[:-1], token.upper(), f"{token} {token}", f"{token}0", value, "", tokens.digest(token).hex(), "é"]
    for given in [*(f"Bearer {one}" for one in wrong), token, f"Basic {token}", f"Bearer,{token}", f"Bearer\t{token}"]:
        # A cookie beside it changes nothing: who sends a token is judged by it alone.
        answer = await dashboard.ask("/v1/usage", Authorization=given, Cookie=cookie)
        assert answer.status == 401, given
        assert "this token is not known, expired or revoked" in answer.body, given
    both = await dashboard.ask("/v1/usage", Authorization=[f"Bearer {token}", f"Bearer {token}"])
    assert both.status in {400, 401}
    assert (await dashboard.ask(f"/v1/usage?access_token={token}")).status == 401
    assert dashboard.seen == []


async def test_expiry_and_revocation_take_effect_at_once(dashboard: Dashboard) -> None:
    short, long = dashboard.token("short", days=1), dashboard.token("long", days=2)
    dashboard.clock.seconds += 86_400 - 1
    assert (await dashboard.with_token(short, "/v1/usage")).status == 200
    dashboard.clock.seconds += 1
    assert (await dashboard.with_token(short, "/v1/usage")).status == 401
    assert (await dashboard.with_token(long, "/v1/usage")).status == 200
    tokens.revoke(dashboard.ledger, "long", int(dashboard.clock()), "tests")
    assert (await dashboard.with_token(long, "/v1/usage")).status == 401


async def test_only_admins_see_what_is_for_admins(dashboard: Dashboard) -> None:
    viewer, admin = dashboard.token("viewer"), dashboard.token("admin", "admin")
    tricks = [
        "/%61dmin",
        "/admin/",
        "//admin",
        "/x/../admin",
        "/./admin",
        "/admin/../admin",
        "/admin%2Faudit",
        "/ADMIN",
    ]
    for path in ["/admin", "/admin/audit", "/v1/admin/audit", "/admin?x=1", *tricks]:
        answer = await dashboard.with_token(viewer, path)
        assert answer.status in {403, 404}, path
        assert FOR_ADMINS not in answer.body
    for path in ["/admin", "/admin/audit", "/v1/admin/audit", "/%61dmin"]:
        answer = await dashboard.with_token(admin, path)
        assert (answer.status, FOR_ADMINS in answer.body) == (200, True)
    assert (await dashboard.with_token(viewer, "/v1/admin/audit"))["Content-Type"].startswith("application/json")


SPELLINGS = [
    *("/%76%31/usage", "/v1%2Fusage", "/v1//usage", "//v1/usage", "/v1/usage/", "/./v1/usage", "/V1/usage"),
    *("/static/../v1/usage", "/static/%2e%2e/v1/usage", "/static/..%2fv1/usage", "/static/../access.sqlite"),
    *(
        "/livez/../v1/usage",
        "/livez/%2e%2e/v1/usage",
        "/livez;/v1/usage",
        "/livez/v1/usage",
        "/livez%00",
        "/livez?",
    ),
    *("/sign-in/../", "/sign-in/..", "/sign-in#/", "/sign-in%2f..%2f", "/static/..", "/static%2f..%2f", "/?/livez"),
    *("http://127.0.0.1/v1/usage", "http://127.0.0.1/livez", "//127.0.0.1/livez", "*", "/\\livez", "v1/usage"),
]


async def test_no_spelling_of_a_path_leads_past_the_gate(dashboard: Dashboard) -> None:
    for path in SPELLINGS:
        for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND"):
            answer = await dashboard.ask(path, method, Origin=dashboard.origin)
            assert not {COUNTS, PAGE, "SQLite"} & set(answer.body.split()), (method, path)
    assert [request.path for request in dashboard.seen] == ["/livez", "/livez"]  # GET and HEAD of `/livez?`


async def test_other_methods_on_public_places_are_refused(dashboard: Dashboard) -> None:
    for path in ("/livez", "/static/style.css", "/sign-in"):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            assert (await dashboard.ask(path, method, Origin=dashboard.origin)).status in {401, 303}


async def test_what_a_session_posts_must_come_from_our_own_page(dashboard: Dashboard) -> None:
    token = dashboard.token()
    cookie = await dashboard.sign_in(token)
    foreign = [
        "https://evil.example",
        "null",
        "",
        f"{dashboard.origin}.evil.example",
        "http://localhost:1",
        "http://127.0.0.1",
    ]
    for origin in [*foreign, None, f"http://user@127.0.0.1:{dashboard.port}"]:
        assert (await dashboard.ask("/", "POST", "a=b", Cookie=cookie, Origin=origin)).status == 403, origin
    assert (await dashboard.ask("/", "POST", "a=b", Cookie=cookie, Authorization="Bearer x")).status == 401
    assert dashboard.seen == []
    assert (await dashboard.ask("/", "POST", "a=b", Cookie=cookie, Origin=dashboard.origin)).status == 200
    assert (await dashboard.ask("/", "POST", "a=b", Authorization=f"Bearer {token}")).status == 200


OTHER_HOSTS = [
    *("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "localhost.", ""),
    *("127.1", "0x7f.0.0.1", "2130706433", "127.0.0.1@evil.example", "evil.example#127.0.0.1", "[::1", "::1"),
    *("0.0.0.1", "10.0.0.1", "usage.example.com", "localhost:80:80", "localhost:x", "127.0.0.1 evil.example"),
]


async def test_other_hosts_are_refused_against_dns_rebinding(dashboard: Dashboard) -> None:
    token = dashboard.token()
    for host in OTHER_HOSTS:
        for path in ("/v1/usage", "/", "/sign-in", "/static/style.css"):
            answer = await dashboard.ask(path, Host=host, Authorization=f"Bearer {token}")
            assert answer.status in {421, 400}, host
            assert host not in answer.body or not host
        assert dashboard.seen == []
        assert (await dashboard.ask("/livez", Host=host)).status in {200, 400}, "probes ask by number"
        dashboard.seen.clear()


async def test_host_is_given_once(dashboard: Dashboard) -> None:
    assert (await dashboard.ask("/sign-in", Host=None)).status in {400, 421}
    assert (await dashboard.ask("/sign-in", Host=["localhost", "evil.example"])).status in {400, 421}
    assert (await dashboard.exchange(b"GET /sign-in HTTP/1.0\r\n\r\n")).status in {400, 421}


async def test_own_hosts_are_known(open_dashboard: Open) -> None:
    async with open_dashboard(reports_url="https://Usage.example.com") as dashboard:
        for host in ("usage.example.com", "USAGE.example.com:443", "localhost", "LOCALHOST:9", "127.0.0.1", "[::1]:80"):
            assert (await dashboard.ask("/sign-in", Host=host)).status == 200, host
        for host in ("usage.example.com:80", "usage.example.com:444", "x.usage.example.com", "usage.example.com."):
            assert (await dashboard.ask("/sign-in", Host=host)).status == 421, host


async def test_proxy_names_viewers(open_dashboard: Open) -> None:
    async with open_dashboard(**PROXY) as dashboard:
        answer = await dashboard.ask("/v1/usage", source=PROXYS_ADDRESS, X_User="bob@example.com")
        assert f"{COUNTS} bob@example.com viewer proxy" in answer.body
        assert (await dashboard.ask("/admin", source=PROXYS_ADDRESS, X_User="admin")).status == 403
        assert (await dashboard.ask("/v1/usage", source=PROXYS_ADDRESS)).status == 401
        for odd in ("", " ", "bob\x7f", "<b>", "bob,eve", "x" * 200, ["bob", "eve"], "böb"):
            assert (await dashboard.ask("/v1/usage", source=PROXYS_ADDRESS, X_User=odd)).status in {400, 401}, odd


async def test_user_header_of_anyone_else_is_ignored_and_taken_off(open_dashboard: Open) -> None:
    async with open_dashboard(**PROXY) as dashboard:
        for name in ("X-User", "x-user", "X-USER"):
            assert (await dashboard.ask("/v1/usage", **{name: "bob"})).status == 401
            spoofed = {"X-Forwarded-For": PROXYS_ADDRESS, "Forwarded": f"for={PROXYS_ADDRESS}", name: "bob"}
            assert (await dashboard.ask("/v1/usage", **spoofed)).status == 401
        token = dashboard.token("alice")
        for source in ("127.0.0.1", PROXYS_ADDRESS):
            answer = await dashboard.with_token(token, "/v1/usage", X_User="bob", source=source)
            assert "alice viewer token" in answer.body
        assert [request.headers.get("X-User") for request in dashboard.seen] == [None, None]
        assert (await dashboard.ask("/v1/usage", X_User="bob", X_Odd="b\u00e4h", source="127.0.0.1")).status in {
            400,
            401,
        }
    async with open_dashboard() as dashboard:
        assert (await dashboard.ask("/v1/usage", X_User="bob", source=PROXYS_ADDRESS)).status == 401


async def test_every_answer_has_the_security_headers_and_no_version(dashboard: Dashboard) -> None:
    token = dashboard.token()
    answers = [
        *[await dashboard.ask(path) for path in ("/", "/sign-in", "/livez", "/static/style.css", "/v1/usage", "/none")],
        *[await dashboard.with_token(token, path) for path in ("/", "/v1/usage", "/none", "/v1/broken", "/admin")],
        await dashboard.ask("/", "POST", Authorization=f"Bearer {token}", Content_Length="0"),
        await dashboard.with_token(token, "/v1/usage", method="DELETE"),
        await dashboard.ask("/", Host="evil.example"),
        await dashboard.exchange(b"noise\r\n\r\n"),
        await dashboard.exchange(b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"),
    ]
    assert {answer.status for answer in answers} == {200, 303, 400, 401, 403, 404, 405, 421, 500}
    expected = {
        "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; font-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Server": "product-telemetry",
    }
    for answer in answers:
        for name, value in expected.items():
            assert answer.all(name) == [value]
        assert answer["Cache-Control"] in {"private", "no-store"}
        assert not {"aiohttp", "Python"} & set(str(answer.headers).replace("/", " ").split())


async def test_no_error_repeats_what_was_asked_and_none_is_logged(dashboard: Dashboard, capsys) -> None:
    token = dashboard.token()
    logs.configure("json", "test")
    try:
        asked = [
            await dashboard.with_token(token, f"/{CANARY}?{CANARY}={CANARY}"),
            await dashboard.with_token(token, f"/v1/{CANARY}"),
            await dashboard.with_token(token, "/v1/usage", method="DELETE", X_Canary=CANARY),
            await dashboard.with_token(token, "/v1/broken"),
            await dashboard.ask(f"/v1/usage?{CANARY}", Authorization=f"Bearer {CANARY}", Cookie=f"a={CANARY}"),
            await dashboard.ask("/v1/usage", Host=CANARY),
            await dashboard.ask(f"/sign-in?next=//{CANARY}"),
            await dashboard.exchange(f"{CANARY}\r\n\r\n".encode()),
            await dashboard.exchange(f"GET / HTTP/1.1\r\nHost: a\r\n{CANARY}\x00: b\r\n\r\n".encode()),
            await dashboard.exchange(f"GET /{CANARY}\x01 HTTP/1.1\r\nHost: a\r\n\r\n".encode()),
        ]
        await dashboard.post("/sign-in", {"token": CANARY})
        written = capsys.readouterr()
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    for answer in asked:
        assert "canary" not in (answer.body + str(answer.headers)).lower()
    assert "request_failed" in written.err
    for secret in ("canary", token, "127.0.0.1"):
        assert secret not in written.err + written.out


async def test_header_cannot_be_injected(dashboard: Dashboard) -> None:
    for path in ("/x%0d%0aSet-Cookie:%20a=b", "/x?%0aA:%20b", "/sign-in?next=/%0d%0aSet-Cookie:a=b"):
        answer = await dashboard.ask(path)
        assert answer.status in {200, 303}
        assert answer.all("Set-Cookie") == answer.all("A") == []
    answer = await dashboard.post("/sign-in", {"token": dashboard.token(), "next": "/x\r\nSet-Cookie: a=b"})
    assert answer["Location"] == "/"
    assert len(answer.all("Set-Cookie")) == 1


async def test_gate_blocks_no_loop(open_dashboard: Open) -> None:
    async with open_dashboard(**PROXY) as dashboard:
        token = dashboard.token()
        with blockbuster_ctx(["collector"]):
            cookie = await dashboard.sign_in(token)
            for answer in [
                await dashboard.ask("/", Cookie=cookie),
                await dashboard.with_token(token, "/v1/usage"),
                await dashboard.ask("/", source=PROXYS_ADDRESS, X_User="bob"),
            ]:
                assert answer.status == 200
            await dashboard.ask("/v1/none", Cookie=cookie)
            await dashboard.ask("/sign-in")
            await dashboard.post("/sign-in", {"token": "wrong"})


async def test_ledger_that_fails_lets_nobody_in(dashboard: Dashboard) -> None:
    token = dashboard.token()
    with dashboard.ledger.writing() as writing:
        writing.execute("ALTER TABLE token RENAME TO gone")
    for answer in [await dashboard.with_token(token, "/v1/usage"), await dashboard.post("/sign-in", {"token": token})]:
        assert answer.status == 503
    assert dashboard.seen == []


async def test_too_many_connections_are_closed_and_others_go_on(dashboard: Dashboard, monkeypatch) -> None:
    monkeypatch.setattr("collector.reports.access.runner._MOST_CONNECTIONS", 0)
    with pytest.raises((IndexError, ConnectionError)):
        await dashboard.ask("/livez")
    monkeypatch.undo()
    assert (await dashboard.ask("/livez")).status == 200


async def test_route_that_is_added_later_is_behind_the_gate(open_dashboard: Open) -> None:
    """What decides is the list of public places, so a page that nobody thought of is closed."""
    from collector.reports.access.gate import PUBLIC

    assert PUBLIC == ("/livez", "/sign-in", "/sign-out", "/static")
    async with open_dashboard() as dashboard:
        for path in ("/livezz", "/statics", "/sign-in-history", "/x/livez", "/sign-in.html"):
            assert (await dashboard.ask(path)).status == 303
        for path in ("/static/none", "/sign-in/none", "/livez/none"):
            assert (await dashboard.ask(path)).status in {303, 404}
