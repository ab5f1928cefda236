from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.addresses import client_address

PROXIES = tuple(ipaddress.ip_network(n) for n in ("10.0.0.0/8", "::1/128", "127.0.0.0/8"))
CASES = [
    # peer, X-Forwarded-For lines, trusted, whose request it is
    ("203.0.113.7", [], (), "203.0.113.7"),
    ("203.0.113.7", ["198.51.100.1"], (), "203.0.113.7"),  # nobody vouches for the line
    ("203.0.113.7", ["198.51.100.1"], PROXIES, "203.0.113.7"),
    ("10.1.2.3", ["198.51.100.1"], PROXIES, "198.51.100.1"),
    ("10.1.2.3", ["192.0.2.9, 198.51.100.1"], PROXIES, "198.51.100.1"),  # the first is the client's own word
    ("10.1.2.3", ["192.0.2.9", "198.51.100.1, 10.9.9.9"], PROXIES, "198.51.100.1"),
    ("10.1.2.3", ["[2001:db8::1]:4711"], PROXIES, "2001:db8::1"),
    ("10.1.2.3", ["198.51.100.1:4711"], PROXIES, "198.51.100.1"),
    ("::ffff:10.1.2.3", ["198.51.100.1"], PROXIES, "198.51.100.1"),
    ("10.1.2.3", ["unknown"], PROXIES, "10.1.2.3"),
    ("10.1.2.3", ["10.4.4.4, rubbish, 10.5.5.5"], PROXIES, "10.5.5.5"),
    ("10.1.2.3", [], PROXIES, "10.1.2.3"),
    ("127.0.0.1", [], (), None),  # a proxy here that nobody named must not make the fleet one address
    ("127.0.0.1", ["198.51.100.1"], PROXIES, "198.51.100.1"),
    ("", [], (), None),
    (None, ["198.51.100.1"], PROXIES, None),
]


@pytest.mark.parametrize(("peer", "lines", "trusted", "expected"), CASES)
def test_address_is_the_last_one_that_no_trusted_proxy_has(peer, lines, trusted, expected) -> None:
    found = client_address(peer, lines, trusted)
    assert (str(found) if found else None) == expected


@given(st.text(), st.lists(st.text(), max_size=4))
def test_anything_in_the_header_is_survived(written: str, more: list[str]) -> None:
    client_address("10.0.0.1", [written, *more], PROXIES)
    client_address(written, more, PROXIES)


@given(st.lists(st.ip_addresses().map(str), min_size=1, max_size=5), st.ip_addresses(v=4).map(str))
def test_what_the_client_writes_itself_changes_nothing(own: list[str], real: str) -> None:
    honest = client_address("10.0.0.1", [real], PROXIES)
    forged = client_address("10.0.0.1", [", ".join([*own, real])], PROXIES)
    if not any(ipaddress.ip_address(real) in n for n in PROXIES if n.version == 4):
        assert forged == honest == ipaddress.ip_address(real)
