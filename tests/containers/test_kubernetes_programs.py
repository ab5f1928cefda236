"""What pods run, with the real program: probes, peppers on a volume, and the small nginx that passes metrics on."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clickhouse_server import free_port
from tests.conftest import Server, collector, missing
from tests.containers.manifests import KUBERNETES, main, named, objects, pod, workloads
from tests.images.debian_tree import needed


def test_probes_ask_for_what_the_collector_answers(server: Server) -> None:
    base = objects("base")
    for name, place in (("ingest", server.ingest), ("reports", server.reports)):
        container = main(next(one for one in workloads(base) if one["metadata"]["name"] == name))
        number = {port["name"]: port["containerPort"] for port in container["ports"]}
        expected = {"ingest": 8080, "reports": 8081}[name]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container[probe]["httpGet"]
            assert number[asked["port"]] == expected
            # As the kubelet asks: by number.
            request = urllib.request.Request(place + asked["path"], headers={"Host": "10.1.2.3:8081"})
            assert urllib.request.urlopen(request).status == 200
    assert main(named(base, "StatefulSet", "ingest"))["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_the_publishers_probe_sees_whether_it_runs(server: Server) -> None:
    (probe,) = [main(named(objects("base"), "Deployment", "publish"))["livenessProbe"]["exec"]["command"]]
    for port, code in ((server.metrics.rsplit(":", 1)[1], 0), (str(free_port()), 1)):
        command = [sys.executable, *(word.replace("8082", port) for word in probe[1:])]
        assert subprocess.run(command, capture_output=True, check=False).returncode == code


@contextlib.contextmanager
def volumes() -> Iterator[Path]:
    """A Secret and a volume as a kubelet makes them for a group, where any user gets to."""
    with tempfile.TemporaryDirectory() as made:
        top = Path(made)
        top.chmod(0o755)
        secret = top / "peppers" / "..2026"
        secret.mkdir(parents=True)
        (top / "peppers/..data").symlink_to("..2026")
        for name in ("pepper-2026Q3", "pepper-2026Q4"):
            (secret / name).write_bytes(os.urandom(32))
            (secret / name).chmod(0o440)
            os.chown(secret / name, 0, 10001)
            (top / "peppers" / name).symlink_to(f"..data/{name}")
        volume = top / "collector"
        volume.mkdir()
        os.chown(volume, 0, 10001)
        volume.chmod(0o2770)
        (volume / "lost+found").mkdir(mode=0o700)
        yield top


def as_its_user(top: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    change = ["setpriv", "--reuid=10001", "--regid=10001", "--groups=10001", "--bounding-set=-all", "--no-new-privs"]
    return subprocess.run([*change, *command], capture_output=True, text=True, check=False, cwd=top)


def test_peppers_of_a_secret_become_files_that_the_collector_takes() -> None:
    needed("setpriv")
    (init,) = pod(named(objects("base"), "StatefulSet", "ingest"))["initContainers"]
    with volumes() as top:
        script = (
            init["command"][2].replace("/var/lib/collector", f"{top}/collector").replace("/peppers", f"{top}/peppers")
        )
        data = top / "collector/data"
        for _twice in range(2):
            done = as_its_user(top, *init["command"][:2], script)
            assert (done.returncode, done.stderr) == (0, "")
            assert [file for file in (data, *data.rglob("*")) if file.stat().st_mode & 0o077] == []
            listed = collector("pepper", "list", "--data", str(data), "--format", "json").stdout
            assert [one["quarter"] for one in json.loads(listed)["peppers"]] == ["2026Q3", "2026Q4"]
            # What a kubelet does to a volume that it thinks is another group's.
            for file in data.rglob("*"):
                os.chown(file, 10001, 10001)  # the verb was root's, here
                file.chmod(file.stat().st_mode | (0o070 if file.is_dir() else 0o060))
            assert "cannot be read" in collector("pepper", "list", "--data", str(data)).stdout
        (top / "peppers").rename(top / "elsewhere")
        assert as_its_user(top, *init["command"][:2], script).returncode != 0


@pytest.mark.parametrize(("path", "status"), [("/metrics", 200), ("/", 404), ("/metrics/x", 404), ("/v1/usage", 404)])
def test_the_metrics_are_passed_on_and_nothing_else(path: str, status: int, server: Server, tmp_path: Path) -> None:
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        missing("nginx is missing")
    port = free_port()
    text = (
        (KUBERNETES / "base/metrics.conf").read_text().replace("127.0.0.1:8082", server.metrics.removeprefix("http://"))
    )
    text = text.replace("listen 9102", f"listen 127.0.0.1:{port}").replace("/tmp/", f"{tmp_path}/")  # noqa: S108
    (tmp_path / "nginx.conf").write_text(text)
    command = ["nginx", "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-g", "daemon off; user root;"]
    found = {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
    process = subprocess.Popen(command, env=found, stderr=subprocess.DEVNULL)
    try:
        answered = None
        while answered is None:
            with (
                contextlib.suppress(ConnectionRefusedError),
                contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection,
            ):
                connection.request("GET", path)
                answer = connection.getresponse()
                answered = answer.status, answer.read()
        assert answered[0] == status
        assert status != 200 or b"telemetry_received_total" in answered[1]
    finally:
        process.terminate()
        process.wait(timeout=10)
