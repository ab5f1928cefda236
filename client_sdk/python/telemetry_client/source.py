"""What the image runs as: container, cloud or vm.

A container on a cloud machine is a container. A machine of which nothing is known is a vm: the images that
embed this client exist in these three forms only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telemetry_client.fact import Fact
from telemetry_client.instance_type import detect_cloud

if TYPE_CHECKING:
    from telemetry_client.machine import Machine

_MARKER_FILES = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
_MARKER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST")
_CGROUP = re.compile(r"docker|kubepods|containerd|libpod|/lxc")


def detect_source(machine: Machine) -> Fact:
    """The fact; there always is one."""
    for path in _MARKER_FILES:
        if machine.exists(path):
            return Fact("container", path)
    for variable in _MARKER_VARIABLES:
        if machine.environ.get(variable):
            return Fact("container", f"environment {variable}")
    if _CGROUP.search(machine.read("/proc/1/cgroup") or ""):
        return Fact("container", "/proc/1/cgroup")
    cloud = detect_cloud(machine)
    if cloud is not None:
        return Fact("cloud", cloud.origin)
    return Fact("vm", "no sign of a container or a known cloud")
