from __future__ import annotations

import ipaddress

from collector import rate
from collector.rate import RateLimiter

A, B = ipaddress.ip_address("198.51.100.1"), ipaddress.ip_address("198.51.100.2")


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_burst_then_the_long_run_rate_and_each_address_for_itself() -> None:
    clock = Clock()
    limiter = RateLimiter(10, 100, clock)
    assert sum(limiter.admits(A) for _ in range(150)) == 100
    assert limiter.admits(B)
    clock.seconds = 2
    assert sum(limiter.admits(A) for _ in range(150)) == 20
    clock.seconds = 1000
    assert sum(limiter.admits(A) for _ in range(150)) == 100


def test_long_batch_may_go_into_debt_and_nothing_more_comes_until_it_is_paid() -> None:
    clock = Clock()
    limiter = RateLimiter(10, 100, clock)
    assert limiter.admits(A, 60)
    assert limiter.admits(A, 60)  # something was left
    assert not limiter.admits(A, 60)
    assert not limiter.admits(A)
    clock.seconds = 2
    assert not limiter.admits(A)
    clock.seconds = 2.2
    assert limiter.admits(A)


def test_one_network_of_ipv6_is_one_address() -> None:
    limiter = RateLimiter(1, 3, Clock())
    here = [ipaddress.ip_address(f"2001:db8::{n}") for n in range(1, 10)]
    assert sum(limiter.admits(address) for address in here) == 3
    assert limiter.admits(ipaddress.ip_address("2001:db8:0:1::1"))


def test_no_address_and_no_limit_are_always_admitted() -> None:
    limiter = RateLimiter(1, 1, Clock())
    assert all(limiter.admits(None) for _ in range(10))
    assert all(RateLimiter(0, 1, Clock()).admits(A) for _ in range(10))


def test_nothing_in_memory_is_an_address_and_all_is_forgotten_in_an_hour() -> None:
    clock = Clock()
    limiter = RateLimiter(1, 5, clock)
    limiter.admits(A)
    (key,) = limiter._buckets
    assert key not in {A.packed, str(A).encode()}
    clock.seconds = 3600
    limiter.admits(B)
    assert key not in limiter._buckets
    limiter.admits(A)
    assert key not in limiter._buckets  # the same address under another salt


def test_memory_is_bounded() -> None:
    limiter = RateLimiter(1, 5, Clock())
    assert all(limiter.admits(A) for _ in range(5))
    for n in range(rate._MOST_BUCKETS + 10):
        limiter.admits(ipaddress.ip_address(n))
        if n % 1000 == 0:
            assert not limiter.admits(A)  # a crowd of others does not make it forgotten
    assert len(limiter._buckets) <= rate._MOST_BUCKETS
