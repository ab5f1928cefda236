from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.publish.protection import Protection, error_95

counts = st.integers(0, 400)


def protection(secret: bytes = b"s" * 32, sigma: int = 5, k: int = 10) -> Protection:
    return Protection(k=k, gate_sigmas=6, sigma=sigma, secret=secret, context=("menu", "table", "day"))


@given(st.binary(min_size=32, max_size=32), counts, st.sampled_from([5, 12, 24]))
def test_fewer_than_k_units_are_never_released(secret: bytes, true_value: int, sigma: int) -> None:
    value = protection(secret, sigma).release(["wordpress"], true_value)
    if true_value < 10:
        assert value is None
    if value is not None:
        assert value >= 10 + 6 * sigma


@given(st.binary(min_size=32, max_size=32), st.integers(300, 10**9))
def test_large_counts_are_released_close_to_the_truth(secret: bytes, true_value: int) -> None:
    value = protection(secret).release(["wordpress"], true_value)
    assert value is not None
    assert abs(value - true_value) <= 50  # ten sigma


def test_noise_differs_between_cells_and_values_and_repeats_for_the_same() -> None:
    p = protection()
    noise = [p.release([f"product-{n}"], 1000) for n in range(30)]
    assert len(set(noise)) > 10
    assert noise == [p.release([f"product-{n}"], 1000) for n in range(30)]
    assert [p.release(["a", "b"], 1000), p.release(["ab"], 1000)] != [p.release(["a"], 1000)] * 2


def test_fresh_secret_draws_fresh_noise() -> None:
    values = {protection(bytes([n]) * 32).release(["wordpress"], 1000) for n in range(40)}
    assert len(values) > 10


def test_stated_error_is_the_95_percent_interval_rounded_up() -> None:
    assert [error_95(sigma) for sigma in (5, 10, 12, 20, 24)] == [10, 20, 24, 40, 48]
    inside = [abs(protection(n.to_bytes(32, "big")).release(["p"], 1000) - 1000) <= 10 for n in range(2000)]
    assert 0.95 <= sum(inside) / len(inside) <= 0.985
