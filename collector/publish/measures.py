"""What is counted: which rows of `private.counted`, from which sources, and what a person calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.policy import IMAGE_SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.policy import Source

# Fields a table may be broken down by, and the field of the policy that each is made from.
FIELDS: Mapping[str, str] = {
    "product_version": "product_version",
    "version_line": "product_version",
    "source": "source",
    "os_version": "os_version",
    "instance_type": "instance_type",
    "language": "language",
}
# A row without a licence, or with one that left the measure, in SQL.
NO_LICENCE = "toUUID('00000000-0000-0000-0000-000000000000')"


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is counted.

    Attributes:
        rows: SQL condition on `private.counted`.
        per_licence: whether licences are counted instead of reports.
        sources: where its reports come from.
        unit: what is protected, in words.
        means: what a number of it is, in words.
    """

    name: str
    rows: str
    per_licence: bool
    sources: tuple[Source, ...]
    unit: str
    means: str


MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "boots",
            "startsWith(report, 'image-boot/')",
            False,
            IMAGE_SOURCES,
            "one boot report",
            "boots and container starts, not installations",
        ),
        Measure(
            "runs",
            "startsWith(report, 'installbuilder-run/') AND NOT keyed",
            False,
            ("installbuilder",),
            "one run report without a key",
            "runs of InstallBuilder without a licence key, not installations",
        ),
        Measure(
            "licences",
            f"startsWith(report, 'installbuilder-run/') AND licence != {NO_LICENCE}",
            True,
            ("installbuilder",),
            "one licence in a month",
            "distinct licences that ran InstallBuilder in the month",
        ),
    )
}
