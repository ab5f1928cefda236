"""How likely a published value, or its absence, is for a true count: what an attacker who knows the code computes.

Probabilities are the discrete Gaussian's own, not the normal approximation, and an absent cell counts with
the chance of its absence: the gate may not tell more than it is accounted for.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from tests.attacks.mechanism import Mechanism

IMPOSSIBLE = -1e6
_REACH_SIGMAS = 60


@cache
def log_probability(sigma: int) -> np.ndarray:
    """Of the noise -reach ... reach, in that order; reach = 60 sigma."""
    x = np.arange(-_REACH_SIGMAS * sigma, _REACH_SIGMAS * sigma + 1)
    weight = -(x.astype(float) ** 2) / (2 * sigma**2)
    return weight - np.logaddexp.reduce(weight)


@cache
def log_at_most(sigma: int) -> np.ndarray:
    """Of noise up to and including -reach ... reach."""
    return np.logaddexp.accumulate(log_probability(sigma))


def _noise_index(noise: np.ndarray, sigma: int) -> np.ndarray:
    reach = _REACH_SIGMAS * sigma
    return np.clip(noise, -reach, reach).astype(int) + reach


def log_likelihood(mechanism: Mechanism, sigma: int, counts: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Of each shown value (ABSENT where there is none) for each true count; arrays of one shape.

    sigma 0 stands for exact counts.
    """
    absent = np.isnan(shown)
    noise = np.where(absent, 0, shown) - counts
    if sigma == 0:
        is_released = counts >= mechanism.k
        fits = np.where(absent, ~is_released, is_released & (noise == 0))
        return np.where(fits, 0.0, IMPOSSIBLE)
    threshold = mechanism.k + mechanism.gate_sigmas * sigma
    if_absent = np.where(counts < mechanism.k, 0.0, log_at_most(sigma)[_noise_index(threshold - 1 - counts, sigma)])
    if_shown = np.where(counts < mechanism.k, IMPOSSIBLE, log_probability(sigma)[_noise_index(noise, sigma)])
    return np.where(absent, if_absent, if_shown)


def chance_shown(mechanism: Mechanism, sigma: int, counts: np.ndarray) -> np.ndarray:
    """The chance that a cell of each true count is released."""
    if sigma == 0:
        return (counts >= mechanism.k).astype(float)
    threshold = mechanism.k + mechanism.gate_sigmas * sigma
    hidden = np.exp(log_at_most(sigma)[_noise_index(threshold - 1 - counts, sigma)])
    return np.where(counts < mechanism.k, 0.0, 1 - hidden)
