from __future__ import annotations

import re

import pytest

from collector.reports.access import tokens
from collector.reports.access.ledger import Ledger
from collector.reports.access.secret import holds_token, new_cookie, new_token

DAY = 86_400


def create(ledger: Ledger, name: str, now: int = 0, days: int = 10) -> str:
    return tokens.create(ledger, name, "viewer", days, now, "tests")[1]


def test_token_is_256_random_bits_that_a_scanner_finds() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch("ptel_[0-9a-f]{64}", token) for token in made)
    assert len(bytes.fromhex(new_cookie())) == 32


def test_part_of_a_url_that_holds_a_token_is_seen() -> None:
    token = new_token()
    for text in (token, f"a={token}&b=c", token.replace("_", "%5F"), token.upper(), token[:20], f"/x/{token}"):
        assert holds_token(text), text
    for text in ("product=wordpress&by=product_version", "ptel_", ""):
        assert not holds_token(text)


@pytest.mark.parametrize(
    "name", ["", "7", "7up", "a b", "a\n", "-a", "é", "a" * 65, "a/b", "<b>", "a'", ".a", "@", "a\x1b[31m"]
)
def test_odd_name_is_refused(ledger: Ledger, name: str) -> None:
    with pytest.raises(tokens.TokenError, match="up to 64 letters"):
        create(ledger, name)
    assert tokens.every(ledger) == []


def test_name_belongs_to_one_live_token_at_a_time(ledger: Ledger) -> None:
    first = create(ledger, "alice")
    with pytest.raises(tokens.TokenError, match="revoke it first"):
        create(ledger, "ALICE")
    tokens.revoke(ledger, "Alice", 5, "tests")
    second = create(ledger, "alice", 6)
    with pytest.raises(tokens.TokenError):
        create(ledger, "alice", 6 + 10 * DAY - 1)
    third = create(ledger, "alice", 6 + 10 * DAY)
    assert [tokens.check(ledger, token, 6 + 10 * DAY) is not None for token in (first, second, third)] == [
        False
    ] * 2 + [True]


def test_revoke_finds_live_tokens_by_name_and_id(ledger: Ledger) -> None:
    one, two = create(ledger, "one"), create(ledger, "two")
    assert tokens.revoke(ledger, "2", 5, "tests").name == "two"
    assert tokens.check(ledger, two, 5) is None
    assert tokens.check(ledger, one, 5).name == "one"
    for which in ("2", "two", "3", "none", "0", "-1", "9" * 30, "one' OR '1'='1", "%"):
        assert tokens.revoke(ledger, which, 6, "tests") is None, which
    assert tokens.check(ledger, one, 6) is not None
