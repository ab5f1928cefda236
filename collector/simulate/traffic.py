"""The bodies that the fleet's machines send on one day, good and bad, first tries and retries."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.simulate.fleet import INSTALLBUILDER_SHARE, KEYED_SHARE, Fleet
from schemas.reports import REPORTS, Report

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

BAD_SHARE = 0.03
RETRY_SHARE = 0.01
_IMAGE_BOOT = REPORTS["image-boot/1"]
_RUN = REPORTS["installbuilder-run/1"]

# What goes wrong on real machines: each makes a bad report of a good one.
_FAULTS: tuple[Callable[[dict[str, Any]], object], ...] = (
    lambda body: body.update(hostname="build-7"),
    lambda body: body.update(product="not-in-the-catalogue"),
    lambda body: body.update(product_version="unknown"),
    lambda body: body.update(language="en_US.UTF-8"),
    lambda body: body.pop("product_version"),
    lambda body: body.update(product_version=6.4),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One body on its way.

    Attributes:
        report: which report it is.
        body: the bytes.
        fields: what a good, first report says, for the truth; None for a bad one or a retry.
    """

    report: Report
    body: bytes
    fields: tuple[str, ...] | None


class Traffic:
    """Makes the bodies of a fleet, day by day, from a seed."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._rng = random.Random(f"traffic {seed}")
        self._products = fleet.product_mix()

    def on(self, day: dt.date) -> Iterator[Sent]:
        """All that is sent on `day`. `fields` are product, version, source, os, instance type, language, key."""
        n = self._fleet.reports_on[day]
        bad = round(n * BAD_SHARE)
        runs = round(n * INSTALLBUILDER_SHARE)
        last: Sent | None = None
        good = 0
        for sent in self._good(day, n - bad, runs):
            good += 1
            # A retry takes the place of a fresh report, with the id of the one before it.
            if last is not None and last.report is sent.report and self._rng.random() < RETRY_SHARE:
                yield Sent(last.report, last.body, None)
                continue
            yield sent
            last = sent
        yield from self._bad(day, n - good)

    def _good(self, day: dt.date, n: int, runs: int) -> Iterator[Sent]:
        counts: dict[int, int] = {}
        for index in self._rng.choices(
            range(len(self._fleet.lines)), cum_weights=self._products.cumulative, k=n - runs
        ):
            counts[index] = counts.get(index, 0) + 1
        for index, m in sorted(counts.items()):
            line = self._fleet.lines[index]
            drawn = zip(
                line.version_mix(day).draw(self._rng, m),
                line.environments.draw(self._rng, m),
                self._fleet.languages.draw(self._rng, m),
                strict=True,
            )
            for version, (source, system, instance), language in drawn:
                fields = (line.name, version, source, system, instance, language, "")
                yield Sent(_IMAGE_BOOT, self._body(fields), fields)
        yield from self._runs(day, runs)

    def _runs(self, day: dt.date, n: int) -> Iterator[Sent]:
        holders = self._rng.choices(self._fleet.licences, k=round(n * KEYED_SHARE))
        installs = [(self._rng.choice(licence.installs), licence.key) for licence in holders]
        installs += [(self._fleet.install(self._rng), "") for _ in range(n - len(installs))]
        for install, key in installs:
            version = self._fleet.installbuilder_version(day, install.lag_days)
            fields = ("installbuilder", version, "", install.system, "", install.language, key)
            yield Sent(_RUN, self._body(fields), fields)

    def _body(self, fields: tuple[str, ...]) -> bytes:
        """JSON without a library's cost: no value of the fleet needs escaping."""
        product, version, source, system, instance, language, key = fields
        bits = f"{self._rng.getrandbits(128):032x}"
        body = (
            f'{{"report_id":"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}",'
            f'"product":"{product}","product_version":"{version}","os_version":"{system}"'
        )
        optional = (
            ("source", source),
            ("instance_type", instance),
            ("language", language),
            ("license_key", key),
        )
        return (body + "".join(f',"{name}":"{value}"' for name, value in optional if value) + "}").encode()

    def _bad(self, day: dt.date, n: int) -> Iterator[Sent]:
        for sent in self._good(day, n, 0):
            body = json.loads(sent.body)
            self._rng.choice(_FAULTS)(body)
            yield Sent(sent.report, json.dumps(body).encode(), None)
