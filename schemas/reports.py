"""The report models, versioned, and which source each of them speaks for.

A new version is a new class and a new entry in `REPORTS`; an old one stays as long as clients send it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
    """One version of one report.

    Attributes:
        name: its name on the wire.
        version: its version.
        model: what it may hold.
        sources: the sources it speaks for.
        example: values for documentation, where the fields' own would not fit this report.
    """

    name: str
    version: int
    model: type[ReportModel]
    sources: tuple[Source, ...]

    example: Mapping[str, str] = field(default_factory=dict)
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
        Report(
            "installbuilder-run",
            1,
            InstallBuilderRun,
            ("installbuilder",),
            {"product": "installbuilder", "product_version": "25.7.0", "os_version": "windows-11"},
        ),
    )
}


def json_schema(report: Report) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one report."""
    schema = report.model.model_json_schema()
    for field_schema in schema["properties"].values():
        # A field left out is stored as "", but "" is not a value that may be sent.
        field_schema.pop("default", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": report.id}


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
