"""What a product is called, whether or not the catalogue knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from collector.reports.products import measures_of
from schemas.fields import Product as ProductName

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.catalogue import Catalogue

_NAME: TypeAdapter[str] = TypeAdapter(ProductName)


@dataclass(frozen=True, slots=True)
class Called:
    """A product's name and title, and what is counted of it, the usual measure first."""

    name: str
    title: str
    measures: tuple[str, ...]


@dataclass(frozen=True)
class Names:
    """Names of the catalogue, and of whatever could be one."""

    catalogue: Callable[[], Catalogue]

    def called(self, name: str) -> Called:
        """A name that the catalogue does not have is its own title.

        Raises:
            HTTPNotFound: this can be no name of a product; it is not repeated.
        """
        try:
            _NAME.validate_python(name)
        except ValidationError:
            raise web.HTTPNotFound from None
        product = self.catalogue().products.get(name)
        return Called(name, product.title, measures_of(product)) if product else Called(name, name, ("boots",))
