"""What each cloud's metadata service answers, and what its firmware says: data for `clouds.py`.

A service refuses what the real one refuses, so that a client which forgets a header or a token learns
nothing here either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

LINK_LOCAL = "169.254.169.254"
ALIBABA = "100.100.100.200"
SCALEWAY = "169.254.42.42"
ADDRESSES = (LINK_LOCAL, ALIBABA, SCALEWAY)
TOKEN = "AQAEAGkq7yFv0sYb1D_rXz3TQ9VwIwWqkXh2u5bZtY0ePjRr4nq8Zg=="  # noqa: S105 - opens nothing


class Said(NamedTuple):
    """One answer of a service."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Cloud:
    """One cloud.

    firmware: files of /sys/class/dmi/id. path, needs: the question, and the headers without which it is
    `refused`. token_path, token_needs: how a token is got, where one is needed. body: the whole answer.
    """

    instance_type: str = ""
    firmware: Mapping[str, str] = field(default_factory=dict)
    address: str = LINK_LOCAL
    path: str = ""
    needs: Mapping[str, str] = field(default_factory=dict)
    refused: int = 404
    token_path: str = ""
    token_needs: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Said:
        """What the service says; `headers` have lower-case names."""
        # The services of AWS, Azure and Google refuse what came through a proxy.
        if "x-forwarded-for" in headers:
            return Said(403)
        if self.token_path and path == self.token_path:
            seconds = headers.get(self.token_needs.lower(), "")
            refused = Said(400 if method == "PUT" else 405)
            return Said(200, TOKEN.encode()) if method == "PUT" and seconds.isdigit() else refused
        if not self.path or path != self.path or method != "GET":
            return Said(404)
        if any(headers.get(name.lower()) != value for name, value in self.needs.items()):
            return Said(self.refused, b'{"error": "refused"}')
        return Said(200, (self.body or self.instance_type).encode(), self.headers)


CLOUDS: Mapping[str, Cloud] = {
    "none": Cloud(),
    "aws": Cloud(
        instance_type="m4.xlarge",
        # Not a Nitro instance: there the firmware itself tells the type, and nothing is asked.
        firmware={"sys_vendor": "Amazon EC2", "product_name": "HVM domU"},
        path="/latest/meta-data/instance-type",
        needs={"X-aws-ec2-metadata-token": TOKEN},
        refused=401,
        token_path="/latest/api/token",  # noqa: S106 - a path
        token_needs="X-aws-ec2-metadata-token-ttl-seconds",  # noqa: S106 - a header's name
    ),
    "azure": Cloud(
        instance_type="Standard_D2s_v3",
        firmware={
            "sys_vendor": "Microsoft Corporation",
            "product_name": "Virtual Machine",
            "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77",
        },
        path="/metadata/instance/compute/vmSize?api-version=2021-02-01&format=text",
        needs={"Metadata": "true"},
        refused=400,
    ),
    "gcp": Cloud(
        instance_type="e2-medium",
        firmware={"sys_vendor": "Google", "product_name": "Google Compute Engine"},
        path="/computeMetadata/v1/instance/machine-type",
        needs={"Metadata-Flavor": "Google"},
        refused=403,
        body="projects/123456789012/machineTypes/e2-medium",
        headers={"Metadata-Flavor": "Google"},
    ),
    "oracle": Cloud(
        instance_type="VM.Standard.E4.Flex",
        firmware={"sys_vendor": "QEMU", "chassis_asset_tag": "OracleCloud.com"},
        path="/opc/v2/instance/shape",
        needs={"Authorization": "Bearer Oracle"},
        refused=403,
    ),
    "alibaba": Cloud(
        instance_type="ecs.g6.large",
        firmware={"sys_vendor": "Alibaba Cloud", "product_name": "Alibaba Cloud ECS"},
        address=ALIBABA,
        path="/latest/meta-data/instance/instance-type",
        needs={"X-aliyun-ecs-metadata-token": TOKEN},
        refused=403,
        token_path="/latest/api/token",  # noqa: S106 - a path
        token_needs="X-aliyun-ecs-metadata-token-ttl-seconds",  # noqa: S106 - a header's name
    ),
    "openstack": Cloud(
        instance_type="m1.small",
        firmware={"sys_vendor": "OpenStack Foundation", "product_name": "OpenStack Nova"},
        path="/latest/meta-data/instance-type",
    ),
    "scaleway": Cloud(
        instance_type="DEV1-S",
        firmware={"sys_vendor": "Scaleway", "product_name": "SCW-DEV1-S"},
        address=SCALEWAY,
        path="/conf",
        body="ID=0b7e5c1a\nNAME=scw-canary\nHOSTNAME=scw-canary\nCOMMERCIAL_TYPE=DEV1-S\nTAGS=0\nZONE=par1\n",
    ),
    "linode": Cloud(
        instance_type="g6-standard-1",
        firmware={"sys_vendor": "Akamai", "product_name": "Compute Instance"},
        path="/v1/instance",
        needs={"Metadata-Token": TOKEN, "Accept": "text/plain"},
        refused=401,
        token_path="/v1/token",  # noqa: S106 - a path
        token_needs="Metadata-Token-Expiry-Seconds",  # noqa: S106 - a header's name
        body="backups.enabled: false\nid: 12345\nlabel: canary\nregion: us-east\nspecs.vcpus: 1\ntype: g6-standard-1\n",
    ),
    # These three have a service, which does not tell the size: nothing may be asked.
    "digitalocean": Cloud(firmware={"sys_vendor": "DigitalOcean", "product_name": "Droplet"}),
    "hetzner": Cloud(firmware={"sys_vendor": "Hetzner", "product_name": "vServer"}),
    "vultr": Cloud(firmware={"sys_vendor": "Vultr", "product_name": "VC2"}),
}
