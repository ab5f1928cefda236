"""The discrete Gaussian, sampled exactly from a keyed stream of bits.

The sampler follows Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy"
(2020): integers only, so no floating-point rounding can betray the true value. The stream is
HMAC-SHA256 in counter mode: the same key and context always give the same draw.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Below = Callable[[int], int]
"""A source of randomness: a uniform integer from 0 up to, not including, its argument."""


def keyed_stream(secret: bytes, context: Sequence[object]) -> Below:
    """Uniform integers that depend on `secret` and `context` and nothing else."""
    key = hmac.digest(secret, json.dumps(context, separators=(",", ":")).encode(), "sha256")
    pool, bits, block = 0, 0, 0

    def draw(n_bits: int) -> int:
        nonlocal pool, bits, block
        while bits < n_bits:
            pool |= int.from_bytes(hmac.digest(key, block.to_bytes(8, "big"), "sha256"), "big") << bits
            bits += 256
            block += 1
        value = pool & ((1 << n_bits) - 1)
        pool >>= n_bits
        bits -= n_bits
        return value

    def below(bound: int) -> int:
        n_bits = (bound - 1).bit_length()
        while True:
            value = draw(n_bits)
            if value < bound:
                return value

    return below


def discrete_gaussian(sigma: int, below: Below) -> int:
    """One draw with mean 0 and standard deviation (almost exactly) `sigma`."""
    scale = sigma + 1
    variance = sigma * sigma
    while True:
        candidate = discrete_laplace(scale, below)
        numerator = (abs(candidate) * scale - variance) ** 2
        if _bernoulli_exp(numerator, 2 * variance * scale * scale, below):
            return candidate


def discrete_laplace(scale: int, below: Below) -> int:
    """One draw with probabilities that fall by a factor of e for each `scale`, on both sides of 0."""
    while True:
        fraction = below(scale)
        if not _bernoulli_exp(fraction, scale, below):
            continue
        whole = 0
        while _bernoulli_exp(1, 1, below):
            whole += 1
        magnitude = fraction + scale * whole
        negative = below(2) == 1
        if negative and magnitude == 0:
            continue  # zero would otherwise come twice as often
        return -magnitude if negative else magnitude


def _bernoulli_exp(numerator: int, denominator: int, below: Below) -> bool:
    """True with probability exp(-numerator/denominator)."""
    while numerator > denominator:
        if not _bernoulli_exp(1, 1, below):
            return False
        numerator -= denominator
    k = 1
    while below(denominator * k) < numerator:
        k += 1
    return k % 2 == 1
