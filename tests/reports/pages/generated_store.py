"""Published cells without a publisher: two years for hundreds of products, straight into the public tables, seeded.

Only to look at and to measure pages; the numbers went through no protection, since nobody is behind them.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from itertools import islice

from collector.publish.periods import ONE_DAY, Grain, days, period_of
from collector.publish.release import DIMENSIONS
from collector.store.engine import Engine

LAST = dt.date(2026, 11, 24)
_VERSION_EVERY_DAYS = 30
_SHARES = {
    "source": {"cloud": 0.45, "container": 0.35, "vm": 0.2},
    "os_version": {"debian-12": 0.68, "debian-11": 0.14, "ubuntu-24.04": 0.08, "ubuntu-22.04": 0.06, "photon-5": 0.04},
    "instance_type": dict(
        zip(
            ("", "t3.micro", "t3.small", "t3.medium", "m5.large", "e2-medium", "Standard_B2s", "m6i.xlarge", "cx22"),
            (0.3, 0.16, 0.14, 0.12, 0.1, 0.07, 0.06, 0.03, 0.02),
            strict=True,
        )
    ),
    "language": dict(
        zip(
            ("en-US", "de-DE", "pt-BR", "fr-FR", "ja-JP", "es-ES", "zh-Hans-CN", "ru-RU", "it-IT"),
            (0.5, 0.1, 0.08, 0.07, 0.06, 0.06, 0.05, 0.03, 0.02),
            strict=True,
        )
    ),
}
_ERROR = 10
_WEEKDAYS = (1.0, 1.04, 1.05, 1.03, 0.97, 0.78, 0.74)
_Row = tuple[dt.date, str, dict[str, str], float]


def fill(engine: Engine, products: list[str], last: dt.date = LAST, length_days: int = 730, seed: int = 1) -> None:
    """Puts days, weeks and months of boots into the public tables, for products of falling size."""
    first = last - (length_days - 1) * ONE_DAY
    columns = ("period", "breakdown", *DIMENSIONS[1:], "share")
    kinds = ("Date", "String", *["String"] * (len(DIMENSIONS) - 1), "Float64")
    held = ", ".join(f"{name} {kind}" for name, kind in zip(columns, kinds, strict=True))
    for grain in ("day", "week", "month"):
        starts = sorted({period_of(day, grain).start for day in days(first, last)})
        ended = [start for start in starts if period_of(start, grain).last_day <= last]
        engine.command(f"CREATE OR REPLACE TABLE public.shares ({held}) ENGINE = Memory")
        rows = [[p, by, *(v.get(d, "") for d in DIMENSIONS[1:]), share] for p, by, v, share in _rows(grain, ended)]
        engine.insert("public.shares", columns, rows)
        engine.command(
            f"""
            INSERT INTO public.cells
            SELECT {{grain:String}}, period, 'boots', breakdown, product, {", ".join(DIMENSIONS[1:])},
                toUInt64(greatest(0., {{days:Float64}} * size * share * (1 + 0.15 * sin(turn + toUInt32(period) / 60.)
                    + 0.03 * (cityHash64(product, period, share, {{seed:UInt64}}) % 1000 / 500. - 1)))) AS value,
                {{error:UInt32}}
            FROM public.shares CROSS JOIN (
                SELECT {{products:Array(String)}}[number + 1] AS product, 60000 / pow(number + 1, 0.95) AS size,
                    cityHash64(number, {{seed:UInt64}}) % 628 / 100. AS turn
                FROM numbers(length({{products:Array(String)}}))
            ) AS listed WHERE value >= 40
            SETTINGS max_partitions_per_insert_block = 0, max_insert_block_size = 100000000,
                min_insert_block_size_rows = 100000000, min_insert_block_size_bytes = 0
            """,
            grain=grain,
            days={"day": 1.0, "week": 7.0, "month": 30.0}[grain],
            seed=seed,
            error=_ERROR,
            products=products,
        )
        engine.command("DROP TABLE public.shares")
        released = [[grain, p, period_of(p, grain).last_day + ONE_DAY, "generated", "standard", True] for p in ended]
        engine.insert("public.releases", ["grain", "period", "released_on", "menu", "profile", "complete"], released)


def _rows(grain: Grain, starts: list[dt.date]) -> Iterator[_Row]:
    """For each period the cells of a product, as shares of its total."""
    for start in starts:
        of_all = _WEEKDAYS[start.weekday()] if grain == "day" else 0.95
        for by, values, share in _cells(grain, _versions(start)):
            yield start, by, values, of_all * share


def _cells(grain: Grain, versions: dict[str, float]) -> Iterator[tuple[str, dict[str, str], float]]:
    lines: dict[str, float] = {}
    for version, share in versions.items():
        line = version.rpartition(".")[0]
        lines[line] = lines.get(line, 0) + share
    tables = {"product_version": versions, "version_line": lines} | (_SHARES if grain != "day" else {})
    yield "", {}, 1.0
    for field, shares in tables.items():
        for value, share in shares.items():
            yield field, {field: value}, share
    for field in ("source", "os_version", "instance_type") if grain == "month" else ():
        for version, share in versions.items():
            for value, other in _SHARES[field].items():
                yield f"product_version+{field}", {"product_version": version, field: value}, share * other


def _versions(day: dt.date) -> dict[str, float]:
    """The versions in use on a day, newest first: each rolls out within days, and decays."""
    number, age = divmod(day.toordinal(), _VERSION_EVERY_DAYS)
    weights = {}
    for back in islice(range(number), 5):
        days_out = age + back * _VERSION_EVERY_DAYS
        weight = (1 - math.exp(-(days_out + 1) / 6)) * math.exp(-back / 1.3)
        which = number - back
        weights[f"{which // 36 % 9 + 1}.{which // 6 % 6}.{which % 6}"] = weight
    whole = sum(weights.values())
    return {version: 0.97 * weight / whole for version, weight in weights.items()}


def add(
    engine: Engine, grain: str, period: dt.date, measure: str, cells: list[tuple[dict[str, str], int, int]]
) -> None:
    """Puts single cells into a period: values of fields, count and error."""
    fields = ("grain", "period", "measure", "breakdown", *DIMENSIONS, "value", "error")
    rows = [
        [
            *(grain, period, measure, "+".join(d for d in DIMENSIONS[1:] if d in values)),
            *(values.get(d, "") for d in DIMENSIONS),
            *(value, error),
        ]
        for values, value, error in cells
    ]
    engine.insert("public.cells", fields, rows)


def add_release(engine: Engine, grain: str, period: dt.date) -> None:
    """Marks a period as released."""
    columns = ["grain", "period", "released_on", "menu", "profile", "complete"]
    engine.insert("public.releases", columns, [[grain, period, period + ONE_DAY, "generated", "standard", True]])


def add_licences(engine: Engine, months: list[dt.date]) -> None:
    """Distinct licences of InstallBuilder, with the larger error that they have, and runs without a key."""
    for n, month in enumerate(months):
        for measure, size, error in (("licences", 480 + 7 * n, 24), ("runs", 2_300 + 90 * n, 10)):
            tables = {
                "product_version": {f"25.{n + 1}.0": 0.5, f"25.{n}.0": 0.35, "24.9.0": 0.2},
                "os_version": {"windows-11": 0.5, "windows-10": 0.25, "macos-15": 0.2},
                "language": {"en-US": 0.6, "de-DE": 0.2, "ja-JP": 0.2},
            }
            cells = [({"product": "installbuilder"}, size, error)]
            for field, shares in tables.items():
                of = {"product": "installbuilder"}
                cells += [(of | {field: value}, int(size * share), error) for value, share in shares.items()]
            if measure == "licences":
                pair = {"product": "installbuilder", "product_version": f"25.{n + 1}.0", "os_version": "windows-11"}
                cells.append((pair, int(size * 0.3), error))
            add(engine, "month", month, measure, cells)
