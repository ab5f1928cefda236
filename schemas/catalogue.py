"""The catalogue: which products may report, from which sources, and how a version line is cut."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from schemas.fields import Product as ProductName
from schemas.fields import ProductVersion
from schemas.policy import IMAGE_SOURCES, Source
from schemas.problems import ConfigurationError, parse, read_toml

if TYPE_CHECKING:
    from schemas.policy import Policy
    from schemas.reports import Report

SHIPPED_CATALOGUE = Path(__file__).parent / "products.toml"

_PRODUCT_NAME: TypeAdapter[str] = TypeAdapter(ProductName)


class Product(BaseModel):
    """One product that may report."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    title: str = Field(min_length=1, max_length=80)
    policy: str
    report: Literal["image-boot", "installbuilder-run"]
    sources: tuple[Source, ...] = Field(min_length=1)
    version_line_parts: int = Field(ge=1, le=4)
    versions: tuple[ProductVersion, ...] = ()

    def may_send(self, report: Report, source: str) -> bool:
        """Whether this product may send `report` from `source`."""
        return report.name == self.report and source in self.sources

    def version_line(self, product_version: str) -> str:
        """The leading numbers of a version: `6.4.2-0` -> `6.4` with two parts; fewer where it has fewer."""
        numbers = re.match(r"[0-9]+(?:\.[0-9]+)*", product_version)
        return ".".join(numbers[0].split(".")[: self.version_line_parts]) if numbers else ""


class Catalogue(BaseModel):
    """All products that may report, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    products: dict[str, Product]

    def problems(self, policy: Policy) -> list[str]:
        """What may not stand in a catalogue under `policy`, one line each."""
        found = []
        for name, product in self.products.items():
            try:
                _PRODUCT_NAME.validate_python(name)
            except ValueError:
                found.append(f"product {name!r}: a name is lower-case letters, digits and single hyphens")
            if product.policy != policy.id:
                found.append(
                    f"product {name}: is under policy {product.policy}, this collector's policy is {policy.id}"
                )
            if product.report == "image-boot" and not set(product.sources) <= set(IMAGE_SOURCES):
                found.append(f"product {name}: image-boot comes from vm, cloud or container only")
            if product.report == "installbuilder-run" and product.sources != ("installbuilder",):
                found.append(f"product {name}: installbuilder-run comes from source installbuilder only")
            if (product.report == "installbuilder-run") != (name == "installbuilder"):
                found.append(
                    f"product {name}: installbuilder-run, which may carry a licence key, "
                    "is for product installbuilder alone"
                )
        return found


def load_catalogue(policy: Policy, path: Path = SHIPPED_CATALOGUE, added: Path | None = None) -> Catalogue:
    """The catalogue at `path`, checked against `policy`, with the products of `added` if there is such a file.

    Raises:
        ConfigurationError: unreadable, or every entry of either file that may not stand in it.
    """
    files = [path] if added is None or not added.exists() else [path, added]
    products: dict[str, Product] = {}
    problems = []
    for file in files:
        try:
            found = parse(Catalogue, read_toml(file), file)
        except ConfigurationError as error:
            problems += error.problems
            continue
        problems += [f"{file}: {problem}" for problem in found.problems(policy)]
        problems += [
            f"{file}: product {name}: stands in {path} too; take it out of one of the two"
            for name in found.products
            if name in products
        ]
        products |= found.products
    if problems:
        raise ConfigurationError(problems)
    return Catalogue(products=products)
