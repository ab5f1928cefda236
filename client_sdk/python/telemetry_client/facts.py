"""Everything a report may say about this machine: given by the caller first, detected otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Mapping, Optional

from telemetry_client.fact import Fact
from telemetry_client.instance_type import detect_instance_type
from telemetry_client.language import detect_language
from telemetry_client.os_version import detect_os_version
from telemetry_client.product import detect_product
from telemetry_client.source import detect_source
from telemetry_client.text import stripped

if TYPE_CHECKING:
    from telemetry_client.machine import Machine


@dataclass(frozen=True, repr=False)
class Given:
    """What the caller states; an empty string is not stated.

    It has no repr, because a licence key must not come into a traceback or a log by accident.
    """

    product: str = ""
    product_version: str = ""
    source: str = ""
    os_version: str = ""
    instance_type: str = ""
    language: str = ""
    license_key: str = ""
    license_key_origin: str = "given by the caller"


def collect(machine: Machine, given: Given) -> Mapping[str, Fact]:
    """Every fact that is known, by the name of its field. Which of them may leave is decided elsewhere."""
    product, version = detect_product(machine, _stated(given.product), _stated(given.product_version))
    source = stripped(machine.environ.get("TELEMETRY_SOURCE", ""))
    facts: Dict[str, Optional[Fact]] = {
        "source": _stated(given.source)
        or (Fact(source, "environment TELEMETRY_SOURCE") if source else detect_source(machine)),
        "product": product,
        "product_version": version,
        "os_version": _stated(given.os_version) or detect_os_version(machine),
        "instance_type": _stated(given.instance_type) or detect_instance_type(machine),
        "language": _stated(given.language) or detect_language(machine),
        "license_key": Fact(given.license_key, given.license_key_origin) if given.license_key else None,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _stated(value: str) -> Optional[Fact]:
    return Fact(value, "given by the caller") if value else None
