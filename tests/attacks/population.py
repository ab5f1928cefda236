"""The licences of a game: 800 of InstallBuilder, skewed, with people coming, going and upgrading each month.

Each runs one version on one system in one language in a month. A scarce combination can be held by a
fixed few, below k or one short of it: that is where exact counts are attacked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from collector.publish.measures import MEASURES

LICENCES = 800
MANY_LICENCES = 40_000
MONTHS = 12
MONTHLY_CHURN = 0.05
MONTHLY_UPGRADES = 0.05
PRODUCT = "installbuilder"
MEASURE = MEASURES["licences"].name

# The two most used versions are the ones a target is asked about: all their cells are shown, so most is told.
MIXES: Mapping[str, Mapping[str, float]] = {
    "product_version": {
        "25.7.0": 41, "25.3.0": 33, "24.11.0": 12, "24.7.0": 6, "24.3.0": 4, "23.11.0": 3, "23.4.0": 1, "19.1.0": 0,
    },
    "os_version": {
        "windows-11": 49, "windows-10": 20, "rhel-9.4": 17, "macos-15": 7, "ubuntu-24.04": 4, "debian-12": 2,
        "macos-14": 1,
    },
    "language": {
        "en-US": 46, "de-DE": 18, "ja-JP": 14, "fr-FR": 8, "es-ES": 5, "pt-BR": 4, "it-IT": 3, "": 2,
    },
}  # fmt: skip
FIELDS = tuple(MIXES)
VALUES = {field: tuple(shares) for field, shares in MIXES.items()}
USUAL = {"product_version": "25.7.0", "os_version": "windows-11", "language": "en-US"}
OTHERWISE = {"product_version": "25.3.0", "os_version": "windows-10", "language": "de-DE"}
OTHER_VERSION = OTHERWISE["product_version"]
RARE_VERSION = "19.1.0"
SCARCE_SYSTEM = "rhel-9.4"


@dataclass(frozen=True)
class Scarce:
    """A combination of values that a fixed few hold, and nobody else."""

    holders: int
    values: Mapping[str, str]


@dataclass(frozen=True)
class Population:
    """Everyone but the target: for each field the value's index, by month and licence."""

    held: Mapping[str, np.ndarray]

    def counts(self, fields: tuple[str, ...]) -> Iterator[dict[tuple[str, ...], int]]:
        """For each month the true counts of a table's cells."""
        names = [VALUES[field] for field in fields]
        shape = [len(values) for values in names]
        for month in range(MONTHS):
            if not fields:
                yield {(): len(next(iter(self.held.values()))[month])}
                continue
            index = np.ravel_multi_index([self.held[field][month] for field in fields], shape)
            found = np.bincount(index, minlength=int(np.prod(shape))).reshape(shape)
            yield {
                tuple(values[i] for values, i in zip(names, at, strict=True)): int(n) for at, n in np.ndenumerate(found)
            }


def grow(
    rng: np.random.Generator, scarce: Scarce | None = None, *, frozen: bool = False, licences: int = LICENCES
) -> Population:
    """Twelve months of everyone else; frozen: nobody comes, goes or changes."""
    holders = scarce.holders if scarce else 0
    now = {field: _draw(rng, field, licences) for field in FIELDS}
    months: list[dict[str, np.ndarray]] = []
    for _ in range(MONTHS):
        if months and not frozen:
            new = rng.random(licences) < MONTHLY_CHURN
            upgraded = rng.random(licences) < MONTHLY_UPGRADES
            now = {field: np.where(new, _draw(rng, field, licences), held) for field, held in now.items()}
            version = _draw(rng, "product_version", licences)
            now["product_version"] = np.where(upgraded, version, now["product_version"])
        if scarce:
            _keep_scarce(now, scarce, holders)
        months.append({field: held.copy() for field, held in now.items()})
    return Population({field: np.array([month[field] for month in months]) for field in FIELDS})


def _draw(rng: np.random.Generator, field: str, n: int) -> np.ndarray:
    weights = np.array(list(MIXES[field].values()), dtype=float)
    return rng.choice(len(weights), n, p=weights / weights.sum())


def _keep_scarce(now: dict[str, np.ndarray], scarce: Scarce, holders: int) -> None:
    wanted = {field: VALUES[field].index(value) for field, value in scarce.values.items()}
    strangers = np.logical_and.reduce([now[field] == index for field, index in wanted.items()])
    strangers[:holders] = False
    now["product_version"][strangers] = VALUES["product_version"].index(OTHER_VERSION)
    for field, index in wanted.items():
        now[field][:holders] = index
