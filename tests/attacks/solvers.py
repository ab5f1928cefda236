"""Two ways to find the numbers that released sums were made from.

The linear program is the classic reconstruction (Dinur and Nissim 2003; Dwork, McSherry and Talwar 2007); least
squares with the members' own variance is the stronger one under noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_matrix, csr_matrix, eye, hstack, vstack

# What a licence away from the expected mix costs, against one released value that is missed by its noise.
_NEAR_EXPECTED = 0.3
_ALMOST_EXACT = 0.1


@dataclass(frozen=True)
class Puzzle:
    """Released sums of unknown numbers.

    Attributes:
        size: licences of each group.
        expected: how many of each group run each version by the published shares; groups x versions.
        sums: which unknowns each released value is the sum of; values x (groups * versions).
        released: the values.
        noise: their standard deviation.
    """

    size: np.ndarray
    expected: np.ndarray
    sums: csr_matrix
    released: np.ndarray
    noise: float


def by_linear_program(given: Puzzle) -> np.ndarray:
    """The numbers, none negative, with the smallest sum of misses, and of differences from what was expected."""
    values, unknowns = given.sums.shape
    groups, versions = given.expected.shape
    miss = 1 / max(given.noise, 1)
    cost = np.concatenate([np.zeros(unknowns), np.full(2 * values, miss), np.full(2 * unknowns, _NEAR_EXPECTED)])

    def zeros(rows: int, columns: int) -> csr_matrix:
        return csr_matrix((rows, columns))

    over, away = eye(values), eye(unknowns)
    members = coo_matrix(
        (np.ones(unknowns), (np.repeat(np.arange(groups), versions), np.arange(unknowns))), shape=(groups, unknowns)
    )
    equal = [
        hstack([given.sums, over, -over, zeros(values, 2 * unknowns)]),
        hstack([away, zeros(unknowns, 2 * values), away, -away]),
        hstack([members, zeros(groups, 2 * values + 2 * unknowns)]),
    ]
    to = np.concatenate([given.released, given.expected.ravel(), given.size])
    result = linprog(cost, A_eq=vstack(equal).tocsr(), b_eq=to, bounds=(0, None), method="highs-ds")
    return result.x[:unknowns].reshape(groups, versions)


def by_least_squares(given: Puzzle) -> np.ndarray:
    """The most plausible numbers, if members are drawn by the shares and the noise is normal."""
    groups, versions = given.expected.shape
    share = given.expected / given.size[:, None]
    sums = given.sums.toarray().reshape(-1, groups, versions)
    # The draws' covariance applied to each sum: size * (diag(share) - share share').
    spread = given.size[:, None] * share * (sums - (sums * share).sum(axis=2, keepdims=True))
    sums, spread = sums.reshape(len(sums), -1), spread.reshape(len(sums), -1)
    covariance = sums @ spread.T + np.eye(len(sums)) * max(given.noise, _ALMOST_EXACT) ** 2
    surprise = given.released - sums @ given.expected.ravel()
    return given.expected + (spread.T @ np.linalg.solve(covariance, surprise)).reshape(groups, versions)
