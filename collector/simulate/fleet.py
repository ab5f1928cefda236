"""The made-up world: how much each product is used on a day, in which versions, on what.

Everything follows from the seed. Products are skewed (a few are used much, most little), versions are
rolled out and decay, weekends are quieter, usage grows, and each source has its own mix of systems.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schemas.catalogue import Catalogue, Product

Choice = TypeVar("Choice")

# Share of all reports that InstallBuilder sends, and of those the share with a licence key.
INSTALLBUILDER_SHARE = 0.04
KEYED_SHARE = 0.6
REPORTS_PER_LICENCE = 20
_WEEKDAYS = (1.0, 1.04, 1.05, 1.03, 0.97, 0.78, 0.74)
_GROWTH_PER_DAY = 0.003
_DAYS_TO_ROLL_OUT = 6
_DAYS_TO_DECAY = 40
_NEW_LINE_SHARE = 0.3

_LANGUAGES = {
    "en-US": 46, "en-GB": 8, "de-DE": 8, "es-ES": 6, "pt-BR": 6, "fr-FR": 5, "ja-JP": 5, "zh-Hans-CN": 5,
    "ru-RU": 3, "it-IT": 3, "es-419": 2, "nl-NL": 2, "pl-PL": 1.5, "ko-KR": 1.5, "tr-TR": 1, "sv-SE": 0.6,
    "cs-CZ": 0.5, "uk-UA": 0.4, "und": 6, "": 2,
}  # fmt: skip
_SOURCE_WEIGHTS = {"vm": 20, "cloud": 45, "container": 35}
_SYSTEMS = {
    "vm": {"debian-12": 70, "debian-11": 20, "ubuntu-22.04": 8, "debian-13": 2},
    "cloud": {"debian-12": 62, "debian-11": 12, "ubuntu-22.04": 14, "ubuntu-24.04": 8, "amzn-2023": 4},
    "container": {"debian-12": 88, "debian-11": 9, "photon-5": 3},
}
_INSTANCES = {
    "vm": {"": 1},
    "cloud": {
        "t3.micro": 16, "t3.small": 12, "t3.medium": 14, "t3a.small": 6, "m5.large": 8, "m6i.large": 5, "m7g.large": 3,
        "Standard_B1s": 6, "Standard_B2s": 6, "Standard_D2s_v5": 4, "e2-micro": 4, "e2-medium": 5, "n2-standard-2": 2,
        "VM.Standard.E4.Flex": 2, "s-1vcpu-1gb": 3, "cx22": 2, "ecs.g7.large": 1, "": 1,
    },
    "container": {"": 72, "m5.large": 9, "m6i.xlarge": 6, "e2-standard-4": 7, "Standard_D4s_v5": 6},
}  # fmt: skip
_BUILD_SYSTEMS = {
    "windows-11": 38, "windows-10": 22, "windows-server-2022": 6, "macos-15": 12, "macos-14": 7, "ubuntu-22.04": 6,
    "ubuntu-24.04": 4, "debian-12": 3, "rhel-9.4": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Mix(Generic[Choice]):
    """Choices with their weights, ready to draw many at once."""

    choices: Sequence[Choice]
    cumulative: Sequence[float]

    def draw(self, rng: random.Random, n: int) -> list[Choice]:
        """`n` independent draws."""
        return rng.choices(self.choices, cum_weights=self.cumulative, k=n)


def mix(weights: Mapping[Choice, float]) -> Mix[Choice]:
    """A mix of the keys by their weights."""
    return Mix(list(weights), list(accumulate(weights.values())))


@dataclass(frozen=True)
class Version:
    """A version and the day it came out."""

    number: str
    released: dt.date


@dataclass(frozen=True)
class Line:
    """One product of the fleet: how its versions and environments are mixed."""

    name: str
    weight: float
    versions: tuple[Version, ...]
    environments: Mix[tuple[str, str, str]]

    def version_mix(self, day: dt.date) -> Mix[str]:
        """Versions in use on `day`: each is rolled out over days, then fades as newer ones come."""
        weights = {}
        for version in self.versions:
            age = (day - version.released).days
            if age >= 0:
                weights[version.number] = (
                    min(1.0, (age + 1) / _DAYS_TO_ROLL_OUT) * math.exp(-age / _DAYS_TO_DECAY) + 0.004
                )
        return mix(weights)


@dataclass(frozen=True)
class Install:
    """One install of a licence holder: its system, language, and how many days it lags behind releases."""

    system: str
    language: str
    lag_days: int


@dataclass(frozen=True)
class Licence:
    """A licence holder: a key and the installs it is used on."""

    key: str
    installs: tuple[Install, ...]


class Fleet:
    """The whole made-up world.

    Args:
        catalogue: its products are the fleet's products, used the more the earlier they are listed.
        first: the first day.
        days: how many days there are.
        reports: about how many reports are sent in all.
        seed: what everything follows from.
    """

    languages = mix(_LANGUAGES)

    def __init__(self, catalogue: Catalogue, first: dt.date, days: int, reports: int, seed: int) -> None:
        rng = random.Random(f"fleet {seed}")
        self.days = [first + dt.timedelta(days=n) for n in range(days)]
        last = self.days[-1]
        images = [(n, p) for n, p in catalogue.products.items() if p.report == "image-boot"]
        self.lines = [_line(rng, name, product, rank, first, last) for rank, (name, product) in enumerate(images)]
        self.installbuilder = _versions(rng, 2, first, last, start=(24, 0))
        self.build_systems = mix(_BUILD_SYSTEMS)
        keyed = reports * INSTALLBUILDER_SHARE * KEYED_SHARE
        self.licences = [_licence(rng, n, self.build_systems) for n in range(max(1, int(keyed / REPORTS_PER_LICENCE)))]
        rhythm = [_WEEKDAYS[d.weekday()] * (1 + _GROWTH_PER_DAY * n) for n, d in enumerate(self.days)]
        shares = [sum(rhythm[: n + 1]) / sum(rhythm) for n in range(days)]
        # Rounded cumulatively, so that the days add up to exactly `reports`.
        edges = [0, *(round(reports * share) for share in shares)]
        self.reports_on = {d: edges[n + 1] - edges[n] for n, d in enumerate(self.days)}

    def product_mix(self) -> Mix[Line]:
        """Products by how much they are used."""
        return Mix(self.lines, list(accumulate(line.weight for line in self.lines)))

    def installbuilder_version(self, day: dt.date, lag_days: int) -> str:
        """The version that an install runs on `day`: the newest that was out `lag_days` before."""
        seen_until = day - dt.timedelta(days=lag_days)
        out = [version.number for version in self.installbuilder if version.released <= seen_until]
        return out[-1] if out else self.installbuilder[0].number

    def install(self, rng: random.Random) -> Install:
        """Some install of InstallBuilder."""
        return _install(rng, self.build_systems)


def _line(rng: random.Random, name: str, product: Product, rank: int, first: dt.date, last: dt.date) -> Line:
    environments: dict[tuple[str, str, str], float] = {}
    for source in product.sources:
        tilt = rng.uniform(0.5, 1.5)
        for system, often in _SYSTEMS[source].items():
            for instance, common in _INSTANCES[source].items():
                scale = sum(_SYSTEMS[source].values()) * sum(_INSTANCES[source].values())
                environments[source, system, instance] = _SOURCE_WEIGHTS[source] * tilt * often * common / scale
    start = (rng.randint(1, 17), rng.randint(0, 9))
    versions = _versions(rng, product.version_line_parts, first, last, start)
    return Line(name, 1 / (rank + 1) ** 1.1, versions, mix(environments))


def _versions(
    rng: random.Random, line_parts: int, first: dt.date, last: dt.date, start: tuple[int, int]
) -> tuple[Version, ...]:
    """A release train that began before `first`: mostly fixes, sometimes a new line."""
    major, minor = start
    patch = 0
    versions = []
    day = first - dt.timedelta(days=rng.randint(90, 150))
    while day <= last:
        versions.append(Version(f"{major}.{minor}.{patch}", day))
        if rng.random() < _NEW_LINE_SHARE:
            major, minor, patch = (major, minor + 1, 0) if line_parts > 1 else (major + 1, 0, 0)
        else:
            patch += 1
        day += dt.timedelta(days=rng.randint(14, 45))
    return tuple(versions)


def _licence(rng: random.Random, number: int, systems: Mix[str]) -> Licence:
    n = rng.choices((1, 2, 3, 4), (58, 27, 11, 4))[0]
    installs = tuple(_install(rng, systems) for _ in range(n))
    return Licence(f"SIMULATED-{number:06d}-{rng.getrandbits(32):08X}", installs)


def _install(rng: random.Random, systems: Mix[str]) -> Install:
    language = rng.choice(("en-US", "en-US", "de-DE", "ja-JP", "fr-FR", "und"))
    return Install(systems.draw(rng, 1)[0], language, min(400, int(rng.expovariate(1 / 45))))
