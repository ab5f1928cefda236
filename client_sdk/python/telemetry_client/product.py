"""Which product and version this image is, where the caller does not say.

Places are asked in order: TELEMETRY_PRODUCT and TELEMETRY_PRODUCT_VERSION, the image's environment
(BITNAMI_APP_NAME, APP_VERSION), `/opt/bitnami/properties.ini`, `/opt/bitnami/.bitnami_components.json`.
A version is taken only from a place that speaks of the same product: the version of the database beside
WordPress must not become WordPress's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Dict, Iterator, NamedTuple, Optional, Tuple

from telemetry_client.fact import Fact
from telemetry_client.text import lowered, split_lines, stripped

if TYPE_CHECKING:
    from telemetry_client.machine import Machine

PROPERTIES = "/opt/bitnami/properties.ini"
COMPONENTS = "/opt/bitnami/.bitnami_components.json"


class _Sign(NamedTuple):
    """What one place says; an empty product means that the place speaks of whatever product this is."""

    product: str
    version: str
    product_origin: str
    version_origin: str


def detect_product(
    machine: Machine, product: Optional[Fact], version: Optional[Fact]
) -> Tuple[Optional[Fact], Optional[Fact]]:
    """Product and version; what the caller already knows is kept."""
    signs = list(_signs(machine))
    if product is None:
        product = next((Fact(sign.product, sign.product_origin) for sign in signs if sign.product), None)
    if product is None:
        components = _components(machine)
        if len(components) == 1:
            product = Fact(next(iter(components)), COMPONENTS)
    if version is None and product is not None:
        version = _version_of(machine, product.value, signs)
    return product, version


def _version_of(machine: Machine, product: str, signs: list[_Sign]) -> Optional[Fact]:
    for sign in signs:
        if sign.version and sign.product in ("", product):
            return Fact(sign.version, sign.version_origin)
    version = _components(machine).get(product, "")
    return Fact(version, f"{COMPONENTS} {product}") if version else None


def _signs(machine: Machine) -> Iterator[_Sign]:
    environ = machine.environ
    yield _Sign(
        stripped(environ.get("TELEMETRY_PRODUCT", "")),
        stripped(environ.get("TELEMETRY_PRODUCT_VERSION", "")),
        "environment TELEMETRY_PRODUCT",
        "environment TELEMETRY_PRODUCT_VERSION",
    )
    # APP_VERSION alone could be anybody's variable.
    if stripped(environ.get("BITNAMI_APP_NAME", "")):
        yield _Sign(
            stripped(environ["BITNAMI_APP_NAME"]),
            stripped(environ.get("APP_VERSION", "")),
            "environment BITNAMI_APP_NAME",
            "environment APP_VERSION",
        )
    stack, version = _properties(machine)
    if stack:
        origin = f"{PROPERTIES} [General] "
        yield _Sign(stack, version, origin + "base_stack_key", origin + "base_stack_version")


def _properties(machine: Machine) -> Tuple[str, str]:
    """Product and version of the section [General]; the last line of a name counts."""
    section = ""
    values: Dict[str, str] = {}
    for line in split_lines(machine.read(PROPERTIES) or ""):
        name, equals, value = line.partition("=")
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif section == "General" and equals:
            values[lowered(stripped(name))] = stripped(value)
    return values.get("base_stack_key", ""), values.get("base_stack_version", "")


def _components(machine: Machine) -> Dict[str, str]:
    """Each component of the image and its version."""
    try:
        listed = json.loads(machine.read(COMPONENTS) or "null")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(listed, dict):
        return {}
    return {
        name: entry["version"]
        for name, entry in listed.items()
        if isinstance(entry, dict) and isinstance(entry.get("version"), str)
    }
