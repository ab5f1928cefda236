"""The products there are, and how much each was used last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.publish.measures import MEASURES
from collector.publish.periods import CLOSED_GRAINS

if TYPE_CHECKING:
    from collector.publish.released import Released
    from schemas.catalogue import Catalogue, Product


def products(released: Released, catalogue: Catalogue) -> dict[str, Any]:
    """All products of the catalogue, ready for JSON, as `collector.reports.answers.ProductsAnswer` describes."""
    latest: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for grain in CLOSED_GRAINS:
        periods = released.periods(grain)
        for measure in MEASURES if periods else ():
            for cell in released.cells(measure, (), grain, periods[-1], periods[-1], None):
                shown = {"period": cell.period.isoformat(), "value": cell.value, "error": cell.error}
                latest.setdefault((cell.values["product"], measure), {})[grain] = shown
    days = released.periods("day")
    return {
        "products": [
            {
                "name": name,
                "title": product.title,
                "measures": list(measures_of(product)),
                "latest": latest.get((name, measures_of(product)[0]), {}),
            }
            for name, product in catalogue.products.items()
        ],
        "through": days[-1].isoformat() if days else None,
    }


def measures_of(product: Product) -> tuple[str, ...]:
    """What is counted of a product, the usual measure first."""
    return ("boots",) if product.report == "image-boot" else ("licences", "runs")
