"""The report models, versioned, and which source each of them speaks for.

A new version is a new class and a new entry in `REPORTS`; an old one stays as long as clients send it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from schemas.fields import (
    ImageSource,
    InstanceType,
    Language,
    LicenseKey,
    OsVersion,
    Product,
    ProductVersion,
    ReportId,
)
from schemas.policy import IMAGE_SOURCES, Policy, Source

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReportModel(BaseModel):
    """What every report has in common: nothing beyond its fields, no coercion, no value in an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    report_id: ReportId = ""
    product: Product
    product_version: ProductVersion
    os_version: OsVersion = ""
    language: Language = ""


class ImageBoot(ReportModel):
    """One boot or container start of a product's image."""

    source: ImageSource
    instance_type: InstanceType = ""


class InstallBuilderRun(ReportModel):
    """One run of InstallBuilder itself: first start, a build, or its own installer."""

    license_key: LicenseKey = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One version of one report: its name on the wire, its model and the sources it speaks for."""

    name: str
    version: int
    model: type[ReportModel]
    sources: tuple[Source, ...]

    id: str = field(init=False)

    def __post_init__(self) -> None:
        """Sets `id`: name and version as clients and database write them, e.g. `image-boot/1`."""
        object.__setattr__(self, "id", f"{self.name}/{self.version}")

    @property
    def path(self) -> str:
        """Where it is posted."""
        return f"/v1/reports/{self.id}"


REPORTS: Mapping[str, Report] = {
    report.id: report
    for report in (
        Report("image-boot", 1, ImageBoot, IMAGE_SOURCES),
        Report("installbuilder-run", 1, InstallBuilderRun, ("installbuilder",)),
    )
}


def problems_with(policy: Policy, reports: Mapping[str, Report] = REPORTS) -> list[str]:
    """Every field of a report model that `policy` has no permit for, one line for each field."""
    found = []
    for report in reports.values():
        for name in report.model.model_fields:
            missing = [source for source in report.sources if policy.permit(source, name) is None]
            if missing:
                sources = ", ".join(missing)
                found.append(
                    f"field {name} of report {report.id}: no clause permits it from {sources}; "
                    f'a [[permits]] entry with field = "{name}", these sources and their clause is missing'
                )
    return found
