"""The accounting and the sampler against an independent judge: OpenDP.

It is 265 MB and so not among the tools that everybody needs; without it these tests are skipped, by name.
"""

from __future__ import annotations

import importlib.util
import math
from collections import Counter
from collections.abc import Sequence
from types import ModuleType

import pytest
from scipy.stats import chi2, chi2_contingency

from collector.noise import discrete_gaussian, keyed_stream
from collector.publish.accounting import DELTA, epsilon, exposures, upper_tail
from collector.publish.menu import load_menu
from schemas.policy import load_policy
from tests.conftest import missing

SIGMAS = [5, 10, 12, 20, 24, 40]
DRAWS = 40_000


@pytest.fixture(scope="module")
def dp() -> ModuleType:
    if importlib.util.find_spec("opendp") is None:
        missing("opendp is not installed: pip install -e '.[oracle]'")
    import opendp.prelude

    opendp.prelude.enable_features("contrib")
    return opendp.prelude


def one_cell(dp: ModuleType, sigma: float):
    """A count that one unit moves by one, with OpenDP's own discrete Gaussian."""
    count = dp.atom_domain(T=int), dp.absolute_distance(T=int)
    return dp.m.make_gaussian(*count, float(sigma))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_rho_of_one_cell(dp: ModuleType, sigma: int) -> None:
    assert one_cell(dp, sigma).map(1) == pytest.approx(1 / (2 * sigma**2), rel=0.01)


@pytest.mark.parametrize("profile", ["standard", "strict"])
def test_rho_of_all_that_a_unit_can_move(dp: ModuleType, profile: str) -> None:
    for exposure in exposures(load_menu(load_policy()), profile):
        cells = [one_cell(dp, share.sigma) for share in exposure.shares for _ in range(share.cells)]
        moved = exposure.rho - exposure.guard_rho
        assert dp.c.make_composition(cells).map(1) == pytest.approx(moved, rel=0.01), exposure.unit


@pytest.mark.parametrize("delta", [1e-9, DELTA, 1e-5, 1e-3])
@pytest.mark.parametrize("rho", [0.001, 0.0347, 0.07, 0.4075, 0.84, 3.0])
def test_epsilon_of_rho_and_delta(dp: ModuleType, rho: float, delta: float) -> None:
    private = dp.c.make_zCDP_to_approxDP(one_cell(dp, math.sqrt(1 / (2 * rho))))
    assert epsilon(rho, delta) == pytest.approx(private.map(1).epsilon(delta), rel=0.01)


@pytest.mark.parametrize("profile", ["standard", "strict"])
def test_stated_epsilon_leaves_room_for_the_gate(dp: ModuleType, profile: str) -> None:
    for exposure in exposures(load_menu(load_policy()), profile):
        private = dp.c.make_zCDP_to_approxDP(one_cell(dp, math.sqrt(1 / (2 * exposure.rho))))
        assert exposure.epsilon == pytest.approx(private.map(1).epsilon(DELTA - exposure.tail), rel=0.01)
        assert exposure.epsilon >= private.map(1).epsilon(DELTA)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_sampler_is_the_distribution_of_theory_and_of_opendp(dp: ModuleType, sigma: int) -> None:
    ours = _ours(sigma)
    vector = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    draw = dp.m.make_gaussian(*vector, float(sigma))
    theirs = _binned(draw([0] * DRAWS), sigma)
    expected = _expected(sigma)
    statistic = sum((n - e) ** 2 / e for n, e in zip(ours, expected, strict=True))
    assert chi2.sf(statistic, len(expected) - 1) > 0.001
    # OpenDP's draws are new each time: a p below one in a million is no accident.
    assert chi2_contingency([ours, theirs]).pvalue > 1e-6


@pytest.mark.parametrize("sigma", SIGMAS)
def test_a_sampler_with_a_wrong_sigma_would_be_found(sigma: int) -> None:
    wrong = _ours(sigma, drawn_with=sigma + max(1, sigma // 10))
    expected = _expected(sigma)
    statistic = sum((n - e) ** 2 / e for n, e in zip(wrong, expected, strict=True))
    assert chi2.sf(statistic, len(expected) - 1) < 1e-4


@pytest.mark.parametrize("sigma", SIGMAS)
def test_tail_of_the_gate(sigma: int) -> None:
    """Summed here from the far end; about a billionth at six sigma."""
    weights = [math.exp(-(x * x) / (2 * sigma * sigma)) for x in range(-50 * sigma, 50 * sigma + 1)]
    tail = math.fsum(weights[56 * sigma :]) / math.fsum(weights)
    assert upper_tail(sigma, 6 * sigma) == pytest.approx(tail, rel=1e-9)
    assert 9e-10 < tail < 2e-9


def _ours(sigma: int, drawn_with: int | None = None) -> list[int]:
    below = keyed_stream(b"s" * 32, ["oracle", sigma])
    return _binned([discrete_gaussian(drawn_with or sigma, below) for _ in range(DRAWS)], sigma)


def _binned(draws: Sequence[int], sigma: int) -> list[int]:
    """How often each value up to 3 sigma came, and how often one beyond on either side."""
    edge = 3 * sigma
    found = Counter(max(-edge - 1, min(edge + 1, value)) for value in draws)
    return [found[x] for x in range(-edge - 1, edge + 2)]


def _expected(sigma: int) -> list[float]:
    edge = 3 * sigma
    weights = {x: math.exp(-(x * x) / (2 * sigma * sigma)) for x in range(-20 * sigma, 20 * sigma + 1)}
    whole = math.fsum(weights.values())
    beyond = math.fsum(w for x, w in weights.items() if x > edge)
    inner = [weights[x] for x in range(-edge, edge + 1)]
    return [DRAWS * w / whole for w in [beyond, *inner, beyond]]
