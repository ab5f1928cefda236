from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.noise import discrete_gaussian, keyed_stream

N = 20_000


def draws(sigma: int, n: int = N) -> list[int]:
    below = keyed_stream(b"s" * 32, ["test", sigma])
    return [discrete_gaussian(sigma, below) for _ in range(n)]


def probabilities(sigma: int) -> dict[int, float]:
    """The discrete Gaussian's exact probabilities."""
    weights = {x: math.exp(-x * x / (2 * sigma * sigma)) for x in range(-12 * sigma, 12 * sigma + 1)}
    total = sum(weights.values())
    return {x: w / total for x, w in weights.items()}


@pytest.mark.parametrize("sigma", [1, 5, 12])
def test_distribution_is_the_discrete_gaussian(sigma: int) -> None:
    """Chi-square over all values that are expected at least 10 times; the stream is fixed, so is the result."""
    counts = Counter(draws(sigma))
    expected = {x: p * N for x, p in probabilities(sigma).items() if p * N >= 10}
    statistic = sum((counts[x] - e) ** 2 / e for x, e in expected.items())
    degrees = len(expected) - 1
    assert statistic < degrees + 4 * math.sqrt(2 * degrees)


@pytest.mark.parametrize("sigma", [5, 20])
def test_mean_and_deviation(sigma: int) -> None:
    sample = draws(sigma)
    assert abs(sum(sample) / N) < 4 * sigma / math.sqrt(N)
    assert math.sqrt(sum(x * x for x in sample) / N) == pytest.approx(sigma, rel=0.03)


def test_same_secret_and_context_give_the_same_draw() -> None:
    once, again = (discrete_gaussian(5, keyed_stream(b"a" * 32, ["cell", 7])) for _ in range(2))
    assert once == again


def test_secret_context_and_count_each_change_the_stream() -> None:
    streams = [
        (b"a" * 32, ["cell", 7]),
        (b"b" * 32, ["cell", 7]),
        (b"a" * 32, ["cell", 8]),
        (b"a" * 32, ["cel", "l", 7]),
    ]
    firsts = {keyed_stream(secret, context)(1 << 62) for secret, context in streams}
    assert len(firsts) == len(streams)


@given(st.integers(1, 1 << 70))
def test_uniform_integers_lie_below_their_bound(bound: int) -> None:
    below = keyed_stream(b"s" * 32, ["uniform"])
    assert all(0 <= below(bound) < bound for _ in range(20))


def test_uniform_integers_are_uniform() -> None:
    below = keyed_stream(b"s" * 32, ["uniform"])
    counts = Counter(below(6) for _ in range(12_000))
    assert sum((counts[x] - 2000) ** 2 / 2000 for x in range(6)) < 25
