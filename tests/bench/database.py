"""What the measurements of the database's side share: made-up reports, figures and their table."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

from collector.publish.measures import NO_LICENCE
from collector.store.engine import Engine

Measured = dict[str, list[dict[str, Any]]]

_DIMENSIONS = "report, source, product, product_version, version_line, os_version, instance_type, language"
# Two hundred products, few of them much used, with twelve versions each; keys come from a twentieth as many licences.
_MADE = f"""
    if(is_run, 'installbuilder-run/1', 'image-boot/1') AS report,
    if(is_run, 'installbuilder', ['vm', 'cloud', 'container'][1 + r5 % 3]) AS source,
    if(is_run, 'installbuilder', concat('product-', toString(toUInt32(200 * pow(r1, 3))))) AS product,
    concat(version_line, '.', toString(r6 % 10)) AS product_version,
    concat(toString(6 - intDiv(version, 4)), '.', toString(3 - version % 4)) AS version_line,
    ['debian-12', 'debian-11', 'ubuntu-22.04', 'ubuntu-24.04', 'amzn-2023', 'photon-5'][1 + toUInt32(6 * pow(r2, 2))]
        AS os_version,
    if(is_run, '', concat(['t3', 'm5', 'm6i', 'e2', 'n2'][1 + r7 % 5], '.',
        ['micro', 'small', 'medium', 'large', 'xlarge', '2xlarge', '4xlarge', 'metal'][1 + toUInt32(8 * pow(r3, 2))]))
        AS instance_type,
    concat(['en', 'de', 'fr', 'es', 'ja', 'pt', 'zh', 'it'][1 + toUInt32(8 * pow(r4, 2))], '-',
        ['US', 'DE', 'FR', 'ES', 'GB'][1 + r8 % 5]) AS language,
    if(is_run AND r9 % 100 < 60, reinterpretAsUUID(toUInt128(1 + r10 % {{licences}})), {NO_LICENCE}) AS licence
FROM (
    SELECT rand(1) / 4294967296 AS r1, rand(2) / 4294967296 AS r2, rand(3) / 4294967296 AS r3,
           rand(4) / 4294967296 AS r4, rand(5) AS r5, rand(6) AS r6, rand(7) AS r7, rand(8) AS r8, rand(9) AS r9,
           rand(10) AS r10, toUInt8(12 * pow(rand(11) / 4294967296, 2)) AS version, rand(12) % 25 = 0 AS is_run
    FROM numbers({{reports}})
)
"""


def receive(engine: Engine, day: dt.date, reports: int) -> None:
    """Puts made-up reports where the loader puts them; one in two hundred was sent twice."""
    made = _MADE.format(reports=reports, licences=1 + reports // 20)
    columns = f"report_id, received_on, {_DIMENSIONS}, licence"
    engine.command(f"INSERT INTO private.reports ({columns}) SELECT generateUUIDv4(), '{day}', {made}")
    engine.command("INSERT INTO private.reports SELECT * FROM private.reports WHERE rand() % 200 = 0")


def remember(engine: Engine, day: dt.date, reports: int) -> None:
    """Made-up reports that counted on a day."""
    made = _MADE.format(reports=reports, licences=1 + reports // 20)
    columns = f"report_id, counted_on, {_DIMENSIONS}, licence, keyed"
    engine.command(
        f"INSERT INTO private.counted ({columns}) SELECT *, licence != {NO_LICENCE} "
        f"FROM (SELECT generateUUIDv4(), toDate('{day}'), {made})"
    )


def row(name: str, values: Sequence[float], unit: str, note: str = "") -> dict[str, Any]:
    """A figure that was measured several times, or once: the median, the lowest and the highest."""
    middle = statistics.median(values)
    return {"name": name, "value": middle, "unit": unit, "low": min(values), "high": max(values), "note": note}


def promise(name: str, target: str, measured: float, *, holds: bool, bound_by: str) -> dict[str, Any]:
    return {"name": name, "target": target, "measured": measured, "holds": holds, "bound_by": "" if holds else bound_by}


def main(measure: Callable[[bool], Measured]) -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="rough figures within seconds")
    measured = measure(parser.parse_args().quick)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; median (lowest to highest)")
    for one in measured["rows"]:
        spread = f"({one['low']:,.3g} to {one['high']:,.3g})" if one["low"] != one["high"] else ""
        print(f"{one['name']:<58}{one['value']:>12,.4g} {one['unit']:<10} {spread:<22}{one['note']}".rstrip())
    for one in measured["promises"]:
        verdict = "holds" if one["holds"] else f"does not hold: {one['bound_by']}"
        print(f"promise: {one['name']:<49}{one['measured']:>12,.4g} {one['target']:<33}{verdict}")
