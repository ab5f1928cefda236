"""What an operator asks, read from text: every problem at once, each naming its option and never what was given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from collector.capacity.fleet import Box, Fleet, Way
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_QUANTITY = re.compile(r"(?P<number>[0-9]+(_[0-9]+)*(\.[0-9]+)?(e[0-9]{1,2})?) ?(?P<unit>[kMGB]?)")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "B": 10**9}
_DAYS = re.compile(r"(?P<days>[0-9]{1,4}) ?d?")
_FRACTION = re.compile(r"[0-9]*\.?[0-9]+%?")
_MOST_REPORTS = 10**12
_MOST_PRODUCTS, _MOST_CORES, _MOST_PEAK = 10**6, 1024, 1000
_EPSILON = 1e-6
_SHARES = {Way.NEW: "share_new", Way.KEEPALIVE: "share_keepalive", Way.BATCH: "share_batch"}


def quantity(text: str, examples: str = "50M, 2k, 1_000_000 or 5e6") -> float:
    """A number as 50M, 2k, 1_000_000 or 5e6.

    Args:
        text: the number.
        examples: what somebody is told who wrote no number.

    Raises:
        ValueError: it is none.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if not match:
        raise ValueError(f"write a number such as {examples}")
    return float(match["number"]) * _UNITS[match["unit"]]


def read(given: Mapping[str, str], permitted_days: int) -> tuple[Fleet, Box]:
    """The fleet and the boxes that are asked about.

    Args:
        given: the texts of the options `reports_per_day`, `products`, `retention`, `peak_factor`, `cores`,
            `target_utilisation`, and of those shares that were given.
        permitted_days: how long the policy permits that a report is kept.

    Raises:
        ConfigurationError: one line for each option that cannot be used.
    """
    problems: list[str] = []

    def option(name: str, parse: Callable[[str], float], fallback: float = 1) -> float:
        try:
            return parse(given[name])
        except ValueError as error:
            problems.append(f"--{name.replace('_', '-')}: {error}")
            return fallback

    def retention(text: str) -> float:
        return _days(text, permitted_days)

    shares = {way: option(name, _share, 0) for way, name in _SHARES.items() if name in given}
    rest = 1 - sum(shares.values())
    new_tls = option("share_new_tls", _share, rest) if "share_new_tls" in given else rest
    if rest < -_EPSILON or abs(new_tls - rest) > _EPSILON:
        problems.append(
            "--share-new-tls, --share-new, --share-keepalive, --share-batch: they must add up to 1, as 0.7 and 0.3; "
            "without --share-new-tls, that is what is left"
        )
    fleet = Fleet(
        reports_per_day=option("reports_per_day", _reports),
        products=int(option("products", lambda text: _whole(text, _MOST_PRODUCTS, "200 or 2k"))),
        retention_days=int(option("retention", retention)),
        peak_factor=option("peak_factor", _peak),
        shares={Way.TLS: max(0.0, new_tls)} | shares,
    )
    box = Box(
        cores=int(option("cores", lambda text: _whole(text, _MOST_CORES, "8"))),
        target_utilisation=option("target_utilisation", _target),
    )
    if problems:
        raise ConfigurationError(problems)
    return fleet, box


def _reports(text: str) -> float:
    reports = quantity(text)
    if not 1 <= reports <= _MOST_REPORTS:
        raise ValueError(f"must be from 1 to {_MOST_REPORTS:,}; write it as 50M, 2k, 1_000_000 or 5e6")
    return reports


def _peak(text: str) -> float:
    factor = quantity(text, "3 or 2.5")
    if not 1 <= factor <= _MOST_PEAK:
        raise ValueError(f"must be from 1, no peak at all, to {_MOST_PEAK:,}, as 3 or 2.5")
    return factor


def _whole(text: str, most: int, examples: str) -> float:
    value = quantity(text, examples)
    if value != int(value) or not 1 <= value <= most:
        raise ValueError(f"must be a whole number from 1 to {most:,}, as {examples}")
    return value


def _days(text: str, permitted: int) -> float:
    match = _DAYS.fullmatch(text.strip())
    if not match:
        raise ValueError("write days, as 40d")
    days = int(match["days"])
    if not 1 <= days <= permitted:
        raise ValueError(
            f"must be from 1d to {permitted}d: the policy permits that a report is kept for {permitted} days"
        )
    return days


def _share(text: str) -> float:
    share = _fraction(text, "write a share from 0 to 1, as 0.3 or 30%")
    if share > 1:
        raise ValueError("must be from 0 to 1, as 0.3 or 30%")
    return share


def _target(text: str) -> float:
    target = _fraction(text, "write a share, as 0.5 or 50%")
    if not 0.01 <= target <= 1:  # noqa: PLR2004 - as the text says
        raise ValueError("must be from 0.01 to 1, as 0.5 or 50%")
    return target


def _fraction(text: str, teaches: str) -> float:
    text = text.strip()
    if not _FRACTION.fullmatch(text):
        raise ValueError(teaches)
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)
