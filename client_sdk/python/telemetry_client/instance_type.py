"""The cloud's name for the machine's size.

Two places tell without a network: the firmware's DMI strings, and what cloud-init has already fetched. The
cloud's metadata service is asked by `ask_for_size` alone. Only vendor, product
name and chassis tag are read; serial numbers, UUIDs and board tags (which hold instance ids) are not.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Optional

from telemetry_client.fact import Fact
from telemetry_client.metadata_services import SERVICES
from telemetry_client.permits import IMAGE_BOOT
from telemetry_client.text import first_line

if TYPE_CHECKING:
    from telemetry_client.machine import Machine
    from telemetry_client.permits import Permits

DMI = "/sys/class/dmi/id/"
INSTANCE_DATA = "/run/cloud-init/instance-data.json"

_CHASSIS_TAGS = {"7783-7084-3265-9085-8269-3286-77": "azure", "OracleCloud.com": "oracle"}
_VENDORS = {
    "Amazon EC2": "aws",
    "DigitalOcean": "digitalocean",
    "Hetzner": "hetzner",
    "Vultr": "vultr",
    "Scaleway": "scaleway",
    "Linode": "linode",
    "Akamai": "linode",
}
_PRODUCTS = {
    "Google Compute Engine": "gcp",
    "Alibaba Cloud ECS": "alibaba",
    "OpenStack Nova": "openstack",
    "OpenStack Compute": "openstack",
}
_EC2_TYPE = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")
_CLOUD_INIT_PATHS = (
    ("ds", "meta_data", "instance-type"),
    ("ds", "meta_data", "instance_type"),
    ("ds", "dynamic", "instance-identity", "document", "instanceType"),
    ("ds", "meta_data", "imds", "compute", "vmSize"),
)


def detect_cloud(machine: Machine) -> Optional[Fact]:
    """Which cloud this machine runs in, by its firmware; None where it names none that is known."""
    for file, names in (
        ("chassis_asset_tag", _CHASSIS_TAGS),
        ("sys_vendor", _VENDORS),
        ("product_name", _PRODUCTS),
    ):
        cloud = names.get(_dmi(machine, file))
        if cloud:
            return Fact(cloud, DMI + file)
    return None


def detect_instance_type(machine: Machine) -> Optional[Fact]:
    """The fact, or None where neither firmware nor cloud-init tells."""
    cloud = detect_cloud(machine)
    if cloud is not None and cloud.value == "aws":
        # Only Nitro instances carry their type here; older ones say "HVM domU".
        product = _dmi(machine, "product_name")
        if _EC2_TYPE.fullmatch(product):
            return Fact(product, DMI + "product_name")
    return _from_cloud_init(machine)


def ask_for_size(machine: Machine, permits: Permits, most_seconds: float) -> Optional[Fact]:
    """The fact from the metadata service of the cloud that firmware names; None where it does not tell."""
    cloud = detect_cloud(machine)
    if cloud is None or cloud.value not in SERVICES:
        return None
    from telemetry_client.metadata_question import ask  # noqa: PLC0415 - loads the network's modules

    size = ask(SERVICES[cloud.value], most_seconds)
    if not permits.reports[IMAGE_BOOT].fields["instance_type"].admits(size):
        return None
    return Fact(size, f"metadata service of {cloud.value}")


def _dmi(machine: Machine, file: str) -> str:
    return first_line(machine.read(DMI + file) or "")


def _from_cloud_init(machine: Machine) -> Optional[Fact]:
    try:
        data = json.loads(machine.read(INSTANCE_DATA) or "null")
    except (ValueError, RecursionError):
        return None
    for keys in _CLOUD_INIT_PATHS:
        value = _at(data, keys)
        if isinstance(value, str) and value:
            return Fact(value, f"{INSTANCE_DATA} {'.'.join(keys)}")
    return None


def _at(data: Any, keys: tuple[str, ...]) -> Any:  # noqa: ANN401 - somebody else's JSON
    for key in keys:
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    return data
