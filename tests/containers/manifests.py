"""What kustomize makes of the manifests, and ways to find things in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import yaml

from tests.conftest import PROJECT, missing

KUBERNETES = PROJECT / "deploy" / "kubernetes"
VERSION = "1.32"
Object = dict[str, Any]


def objects(directory: str) -> list[Object]:
    """What the real kustomize makes of a directory."""
    if shutil.which("kubectl"):
        build = ["kubectl", "kustomize"]
    elif shutil.which("kustomize"):
        build = ["kustomize", "build"]
    else:
        missing("kubectl and kustomize are missing")
    made = subprocess.run([*build, KUBERNETES / directory], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return [found for found in yaml.safe_load_all(made.stdout) if found]


def of_kind(cluster: list[Object], *kinds: str) -> list[Object]:
    return [one for one in cluster if one["kind"] in kinds]


def named(cluster: list[Object], kind: str, name: str) -> Object:
    (found,) = [one for one in of_kind(cluster, kind) if one["metadata"]["name"] == name]
    return found


def workloads(cluster: list[Object]) -> list[Object]:
    return of_kind(cluster, "StatefulSet", "Deployment", "Job")


def pod(workload: Object) -> Object:
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def containers(workload: Object) -> list[Object]:
    return [*pod(workload).get("initContainers", []), *pod(workload)["containers"]]


def main(workload: Object) -> Object:
    (found,) = [one for one in pod(workload)["containers"] if one["name"] == "collector"]
    return found


def selected(cluster: list[Object], wanted: dict[str, str]) -> list[Object]:
    """The workloads whose pods have these labels."""
    return [
        one for one in workloads(cluster) if wanted.items() <= one["spec"]["template"]["metadata"]["labels"].items()
    ]


def ports(workload: Object) -> set[str]:
    return {port["name"] for container in containers(workload) for port in container.get("ports", [])}


def environment(cluster: list[Object], workload: Object) -> dict[str, str]:
    """The variables of the part, as its process gets them."""
    found: dict[str, str] = {}
    for variable in main(workload)["env"]:
        value = variable.get("value")
        if value is None:
            reference = variable["valueFrom"]["configMapKeyRef"]
            value = named(cluster, "ConfigMap", reference["name"])["data"][reference["key"]]
        found[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: found[match[1]], value)
    return found
