"""Which product and version this image is, where the caller does not say.

Places are asked in order: TELEMETRY_PRODUCT and TELEMETRY_PRODUCT_VERSION, the image's environment
(BITNAMI_APP_NAME, APP_VERSION), `/opt/bitnami/properties.ini`, `/opt/bitnami/.bitnami_components.json`.
A version is taken only from a place that speaks of the same product: the version of the database beside
WordPress must not become WordPress's.
"""

from __future__ import annotations

import configparser
import json
from typing import TYPE_CHECKING, Dict, Iterator, NamedTuple, Optional, Tuple

from telemetry_client.fact import Fact

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
        environ.get("TELEMETRY_PRODUCT", "").strip(),
        environ.get("TELEMETRY_PRODUCT_VERSION", "").strip(),
        "environment TELEMETRY_PRODUCT",
        "environment TELEMETRY_PRODUCT_VERSION",
    )
    # APP_VERSION alone could be anybody's variable.
    if environ.get("BITNAMI_APP_NAME", "").strip():
        yield _Sign(
            environ["BITNAMI_APP_NAME"].strip(),
            environ.get("APP_VERSION", "").strip(),
            "environment BITNAMI_APP_NAME",
            "environment APP_VERSION",
        )
    stack, version = _properties(machine)
    if stack:
        origin = f"{PROPERTIES} [General] "
        yield _Sign(stack, version, origin + "base_stack_key", origin + "base_stack_version")


def _properties(machine: Machine) -> Tuple[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(machine.read(PROPERTIES) or "")
    except configparser.Error:
        return "", ""
    general = parser["General"] if parser.has_section("General") else {}
    return general.get("base_stack_key", "").strip(), general.get("base_stack_version", "").strip()


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
