"""What the clouds' metadata services are asked: each request, and where in the answer the size stands.

Every service is on an address of its own cloud that leads nowhere else, and is asked only in the cloud that
the firmware names. Those of DigitalOcean, Hetzner and Vultr do not tell a size; they are not asked.
"""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple, Optional, Tuple

from telemetry_client.text import split_lines, stripped

LINK_LOCAL = "169.254.169.254"
_AMAZON_TOKEN = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
_ALIBABA_TOKEN = "X-aliyun-ecs-metadata-token"  # noqa: S105 - a header's name
_SECONDS = "60"

Header = Tuple[str, str]


class TokenRequest(NamedTuple):
    """What gets a token (PUT), and the header of the question that then carries it."""

    path: str
    header: Header
    carried_by: str


class Service(NamedTuple):
    """One metadata service.

    token: None where none is needed. answers_with: a header without which an answer is none. read: finds the
    size in an answer; empty where it is not there.
    """

    address: str
    path: str
    headers: Tuple[Header, ...] = ()
    token: Optional[TokenRequest] = None
    answers_with: Optional[Header] = None
    read: Callable[[str], str] = lambda text: stripped(text.strip("\n"))


def last_segment(text: str) -> str:
    """What comes after the last slash."""
    return stripped(text.strip("\n")).rpartition("/")[2]


def after(beginning: str) -> Callable[[str], str]:
    """Finds the line that begins so, and gives the rest of it."""

    def read(text: str) -> str:
        found = (line for line in split_lines(text) if line.startswith(beginning))
        return stripped(next(found, "")[len(beginning) :])

    return read


SERVICES: Mapping[str, Service] = {
    "aws": Service(
        LINK_LOCAL,
        "/latest/meta-data/instance-type",
        token=TokenRequest("/latest/api/token", (_AMAZON_TOKEN + "-ttl-seconds", _SECONDS), _AMAZON_TOKEN),
    ),
    "azure": Service(
        LINK_LOCAL,
        "/metadata/instance/compute/vmSize?api-version=2021-02-01&format=text",
        (("Metadata", "true"),),
    ),
    "gcp": Service(
        LINK_LOCAL,
        "/computeMetadata/v1/instance/machine-type",
        (("Metadata-Flavor", "Google"),),
        answers_with=("Metadata-Flavor", "Google"),
        read=last_segment,
    ),
    "oracle": Service(LINK_LOCAL, "/opc/v2/instance/shape", (("Authorization", "Bearer Oracle"),)),
    "alibaba": Service(
        "100.100.100.200",
        "/latest/meta-data/instance/instance-type",
        token=TokenRequest("/latest/api/token", (_ALIBABA_TOKEN + "-ttl-seconds", _SECONDS), _ALIBABA_TOKEN),
    ),
    "openstack": Service(LINK_LOCAL, "/latest/meta-data/instance-type"),
    "scaleway": Service("169.254.42.42", "/conf", read=after("COMMERCIAL_TYPE=")),
    "linode": Service(
        LINK_LOCAL,
        "/v1/instance",
        (("Accept", "text/plain"),),
        token=TokenRequest("/v1/token", ("Metadata-Token-Expiry-Seconds", _SECONDS), "Metadata-Token"),
        read=after("type:"),
    ),
}
