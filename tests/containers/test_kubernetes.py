"""The parts in a cluster: kustomize makes what the API takes, it fits together, and the collector accepts it."""

from __future__ import annotations

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from collector.supervisor import STOP_SECONDS
from tests.conftest import PROJECT, collector
from tests.containers.dockerfile import stages
from tests.containers.manifests import (
    KUBERNETES,
    VERSION,
    Object,
    containers,
    environment,
    main,
    named,
    objects,
    of_kind,
    pod,
    ports,
    selected,
    workloads,
)


@pytest.fixture(scope="module", params=["base", "example"])
def cluster(request: pytest.FixtureRequest) -> list[Object]:
    return objects(request.param)


def test_every_object_is_one_that_the_api_takes(cluster: list[Object]) -> None:
    for one in cluster:
        kubernetes_validate.validate(one, VERSION, strict=True)
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] == "product-telemetry"


def test_a_field_that_is_none_would_be_found() -> None:
    wrong = named(objects("base"), "Deployment", "publish")
    main(wrong)["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_selectors_find_what_they_are_for(cluster: list[Object]) -> None:
    for workload in of_kind(cluster, "StatefulSet", "Deployment"):
        assert selected(cluster, workload["spec"]["selector"]["matchLabels"]) == [workload]
    for service in of_kind(cluster, "Service"):
        (found,) = selected(cluster, service["spec"]["selector"])
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports(found)
    for budget in of_kind(cluster, "PodDisruptionBudget"):
        (found,) = selected(cluster, budget["spec"]["selector"]["matchLabels"])
        assert found["spec"]["replicas"] > 1, "its node could never be emptied"
    assert named(cluster, "Service", named(cluster, "StatefulSet", "ingest")["spec"]["serviceName"])
    for ingress in of_kind(cluster, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            backend = rule["http"]["paths"][0]["backend"]["service"]
            assert backend["port"]["name"] in {
                p["name"] for p in named(cluster, "Service", backend["name"])["spec"]["ports"]
            }


def test_what_is_referred_to_is_there(cluster: list[Object]) -> None:
    secrets = {
        one["metadata"]["name"]: one for one in yaml.safe_load_all((KUBERNETES / "secrets.example.yaml").read_text())
    }
    used = set()
    for workload in workloads(cluster):
        volumes = {volume["name"]: volume for volume in pod(workload)["volumes"]}
        templates = {one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", [])}
        mounted = {mount["name"] for one in containers(workload) for mount in one["volumeMounts"]}
        assert mounted == set(volumes) | templates
        for volume in volumes.values():
            if "configMap" in volume:
                assert named(cluster, "ConfigMap", volume["configMap"]["name"])
            if "secret" in volume:
                used.add(volume["secret"]["secretName"])
                assert volume["secret"]["defaultMode"] == 0o440
            if "persistentVolumeClaim" in volume:
                assert named(cluster, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
        for container in containers(workload):
            for variable in container.get("env", []):
                if "valueFrom" in variable:
                    reference = variable["valueFrom"]["configMapKeyRef"]
                    assert named(cluster, "ConfigMap", reference["name"])["data"][reference["key"]]
    assert used == set(secrets)
    assert {value for one in secrets.values() for value in (one.get("stringData") or one["data"]).values()} == {""}
    assert of_kind(cluster, "Secret") == []


def test_a_pod_can_do_no_more_than_its_work(cluster: list[Object]) -> None:
    user = int(stages(PROJECT / "deploy/Dockerfile")[-1].last("USER").value.split(":")[0])
    for workload in workloads(cluster):
        spec = pod(workload)
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["fsGroup"] == user
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        for container in containers(workload):
            closed = container["securityContext"]
            assert closed["readOnlyRootFilesystem"] is True
            assert closed["allowPrivilegeEscalation"] is False
            assert closed["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} == set(container["resources"]["limits"]) == set(container["resources"]["requests"])
            assert re.fullmatch(r"[a-z0-9./-]+:\d[\w.-]+", container["image"])
    labels = of_kind(cluster, "Namespace")[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_no_service_becomes_a_setting(cluster: list[Object]) -> None:
    assert all(pod(workload)["enableServiceLinks"] is False for workload in workloads(cluster))
    # What it would come to with a Service named collector.
    assert collector("check", check=False, COLLECTOR_PORT="tcp://10.0.0.1:80").returncode == 1


def test_only_what_is_meant_comes_in_and_goes_out(cluster: list[Object]) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(cluster, "NetworkPolicy")}
    whole = selected(cluster, policies["nothing"]["podSelector"].get("matchLabels", {}))
    assert whole == workloads(cluster)
    assert policies["nothing"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(policies["nothing"])
    for policy in policies.values():
        for rule in policy.get("ingress", []):
            for port in rule["ports"]:
                found = selected(cluster, policy["podSelector"].get("matchLabels", {}))
                assert found
                assert all(port["port"] in ports(one) for one in found if one["kind"] != "Job")
    entered = {name: rule["from"] for name, p in policies.items() for rule in p.get("ingress", [])}

    def namespace(name: str) -> list[Object]:
        return [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]

    assert entered == {name: namespace("ingress") for name in ("ingest", "reports")} | {
        "metrics": namespace("monitoring")
    }
    # The store's port is the one that the parts are told.
    store, names = policies["store"]["egress"]
    (places,) = [one for one in of_kind(cluster, "ConfigMap") if "clickhouse" in one["data"]]
    assert [port["port"] for port in store["ports"]] == [int(places["data"]["clickhouse"].rsplit(":", 1)[1])]
    assert {port["port"] for port in names["ports"]} == {53}


def test_the_collector_accepts_what_it_is_told(cluster: list[Object], tmp_path: Path) -> None:
    (config,) = [one for one in of_kind(cluster, "ConfigMap") if "collector.toml" in one["data"]]
    file = tmp_path / "collector.toml"
    file.write_text(config["data"]["collector.toml"])
    users = {}
    for workload in workloads(cluster):
        given = environment(cluster, workload)
        (mount,) = [one for one in main(workload)["volumeMounts"] if one["name"] == "config"]
        assert given.pop("COLLECTOR_CONFIG") == f"{mount['mountPath']}/collector.toml"
        checked = collector("check", "--config", str(file), check=False, **given)
        assert (checked.returncode, checked.stdout.startswith("no problems")) == (0, True), checked.stdout
        # The verb exists and has these options.
        assert collector(*main(workload)["args"], "--help").returncode == 0
        users[workload["metadata"]["name"]] = given["COLLECTOR_STORE_URL"].split("//")[1].split("@")[0]
        secret = next(
            volume["secret"]["secretName"] for volume in pod(workload)["volumes"] if volume["name"] == "store"
        )
        assert secret == f"store-{users[workload['metadata']['name']]}"
        paths = [one["mountPath"] for one in main(workload)["volumeMounts"]]
        assert any(
            line.startswith(f'store_password_file = "{path}/')
            for path in paths
            for line in file.read_text().split("\n")
        )
    assert users == {"ingest": "ingest", "publish": "publisher", "reports": "reports", "migrate": "owner"}
    shipped = (PROJECT / "deploy/clickhouse/users.d/telemetry.xml").read_text(encoding="utf-8")
    assert all(f"<{user}>" in shipped for user in users.values())


def test_a_setting_that_is_none_would_be_refused(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text((KUBERNETES / "base/collector.toml").read_text() + "ingest_hosts = 1\n")
    assert collector("check", "--config", str(file), check=False).returncode == 1


def test_a_pod_is_given_the_time_that_it_needs_to_end() -> None:
    for workload in of_kind(objects("base"), "StatefulSet", "Deployment"):
        waits = main(workload).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        assert pod(workload)["terminationGracePeriodSeconds"] > 2 * (2 * STOP_SECONDS) + int(waits[1])


def test_reports_that_were_acknowledged_stay_when_a_pod_goes() -> None:
    ingest = named(objects("base"), "StatefulSet", "ingest")["spec"]
    assert set(ingest["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}
    assert ingest["podManagementPolicy"] == "Parallel"
    reports = named(objects("base"), "Deployment", "reports")["spec"]
    assert (reports["replicas"], reports["strategy"]) == (1, {"type": "Recreate"})
    for workload in ("StatefulSet", "ingest"), ("Deployment", "reports"):
        context = pod(named(objects("base"), *workload))["securityContext"]
        assert context["fsGroupChangePolicy"] == "OnRootMismatch"


def test_the_example_says_what_is_its_own() -> None:
    example = objects("example")
    ingest = named(example, "StatefulSet", "ingest")["spec"]
    assert ingest["replicas"] == 3
    assert ingest["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "50Gi"
    assert {main(one)["image"] for one in workloads(example)} == {"registry.example.com/product-telemetry:0.1.0"}
    store = named(example, "NetworkPolicy", "store")["spec"]["egress"][0]["to"]
    assert store == [{"ipBlock": {"cidr": "192.0.2.10/32"}}]
    told = environment(example, named(example, "Deployment", "reports"))
    assert told["COLLECTOR_STORE_URL"] == "clickhouses://reports@db.example.com:8443"
    hosts = {rule["host"] for rule in of_kind(example, "Ingress")[0]["spec"]["rules"]}
    assert told["COLLECTOR_REPORTS_URL"].removeprefix("https://") in hosts
