"""The collector as systemd runs it: a clean Debian, the shipped installer and units, a real boot."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT
from tests.images.debian_tree import needed
from tests.systemd.server_tree import Machine, booted, clean_tree, wheels

UNITS = sorted(path.name for path in (PROJECT / "deploy/systemd").glob("*.service"))
INSTALL = "cd /srv/product-telemetry && deploy/systemd/install.sh product_telemetry-*.whl --wheels /wheels"
# What a score above this would mean has to be thought about first; 0 is the best.
MOST_EXPOSURE = 1.6
MAIN = "systemctl show -P MainPID collector"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted Debian on which the collector was installed and enabled as the runbook says."""
    needed("systemd-nspawn")
    directory = tmp_path_factory.mktemp("server")
    with clean_tree(directory) as tree, booted(tree, f"--bind-ro={wheels()}:/wheels") as machine:
        said = machine.run(INSTALL).stdout
        assert "next: systemctl enable --now collector" in said
        machine.run("systemctl enable --now collector")
        yield machine


@pytest.fixture
def sent(machine: Machine) -> Iterator[int]:
    """How many reports were accepted so far; the collector runs."""
    machine.run("systemctl start collector")
    return status(machine)["accepted"]


def status(machine: Machine) -> dict:
    return json.loads(machine.run("collector status --format json").stdout)


def send(machine: Machine) -> None:
    """A real report, over the real network of the machine."""
    row = {
        "source": "vm",
        "product": "wordpress",
        "product_version": "6.4.2-0",
        "os_version": "debian-12",
        "language": "en",
    }
    body = json.dumps(row)
    answer = machine.run(
        f"curl -sS -o /dev/null -w '%{{http_code}}' -H 'Content-Type: application/json' -d '{body}' http://127.0.0.1:8080/v1/reports/image-boot/1"
    )
    assert answer.stdout == "202"


def show(machine: Machine, unit: str, *names: str) -> list[str]:
    return [machine.run(f"systemctl show -P {name} {unit}").stdout.strip() for name in names]


def test_started_means_that_reports_are_taken(machine: Machine) -> None:
    machine.run("systemctl stop collector")
    done = machine.run(
        "systemctl start collector && curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/livez"
    )
    assert done.stdout == "200"
    assert show(machine, "collector", "ActiveState", "SubState", "NRestarts") == ["active", "running", "0"]


def test_client_of_the_same_package_reports_and_is_counted(machine: Machine, sent: int) -> None:
    client = "/opt/product-telemetry/current/bin/telemetry-client"
    options = "--product wordpress --product-version 6.4.2-0 --url http://127.0.0.1:8080 --state-dir /tmp/client"
    machine.run(f"{client} on --state-dir /tmp/client")
    assert "accepted" in machine.run(f"{client} send {options}").stdout
    assert status(machine)["accepted"] == sent + 1
    machine.wait_for("collector status --format json | grep -q '\"waiting\": 0'")


def test_killed_processes_come_back_and_nothing_is_lost(machine: Machine, sent: int) -> None:
    send(machine)
    main = machine.run(MAIN).stdout.strip()
    machine.run(f"kill -9 $(cat /proc/{main}/task/{main}/children)")
    machine.wait_for("curl -fsS http://127.0.0.1:8080/readyz", seconds=40)
    send(machine)
    machine.run(f"kill -9 {main}")
    machine.wait_for(f"[ $({MAIN}) != {main} ] && curl -fsS http://127.0.0.1:8080/readyz", seconds=60)
    send(machine)
    machine.wait_for("collector status --format json | grep -q '\"waiting\": 0'")
    state = status(machine)
    assert state["loaded"] == state["accepted"] == sent + 3


@pytest.mark.usefixtures("sent")
def test_one_that_hangs_is_killed_by_the_watchdog_and_started_again(machine: Machine) -> None:
    drop_in = "/run/systemd/system/collector.service.d/watchdog.conf"
    machine.run(f"mkdir -p $(dirname {drop_in}) && printf '[Service]\\nWatchdogSec=4\\n' >{drop_in}")
    machine.run("systemctl daemon-reload && systemctl restart collector")
    main = machine.run(MAIN).stdout.strip()
    machine.run(f"kill -STOP {main}")
    machine.wait_for(
        f"[ $({MAIN}) -ne {main} ] && [ $({MAIN}) -ne 0 ] && curl -fsS http://127.0.0.1:8080/livez", seconds=60
    )
    assert "watchdog" in machine.run("journalctl -u collector -o cat --no-pager").stdout.lower()
    machine.run(f"rm {drop_in} && systemctl daemon-reload && systemctl restart collector")
    send(machine)


@pytest.mark.usefixtures("sent")
def test_reload_takes_up_a_new_policy_without_a_restart(machine: Machine) -> None:
    main = machine.run(MAIN).stdout
    machine.run("collector products add new-thing --title 'New thing' --source vm --version 1.0.0")
    machine.run("systemctl reload collector")
    assert machine.run(MAIN).stdout == main
    assert "new-thing" in machine.run("collector products list").stdout


@pytest.mark.usefixtures("sent")
def test_stop_is_clean_and_quick(machine: Machine) -> None:
    send(machine)
    machine.run("time systemctl stop collector", seconds=25)
    assert show(machine, "collector", "Result", "ExecMainStatus", "ActiveState") == ["success", "0", "inactive"]
    assert machine.run("ls -ld /proc/[0-9]* | grep collector", check=False).stdout == ""
    assert machine.run("ls /var/lib/collector/spool/*/*.open 2>/dev/null", check=False).stdout == ""


@pytest.mark.usefixtures("sent")
def test_what_has_to_be_changed_first_is_said_and_not_tried_for_ever(machine: Machine) -> None:
    config = "/etc/collector/collector.toml"
    machine.run(f"cp -p {config} {config}.good && echo 'ingest_port = \"no port\"' >>{config}")
    machine.run(f"sed -i '/^ingest_port = 8080/d' {config}; systemctl restart collector", check=False)
    machine.wait_for("systemctl is-failed collector")
    journal = machine.run("journalctl -u collector -o cat --no-pager").stdout
    assert "ingest_port" in journal
    restarts = show(machine, "collector", "NRestarts")
    assert machine.run("sleep 3; systemctl is-failed collector").stdout.strip() == "failed"
    assert show(machine, "collector", "NRestarts") == restarts
    machine.run(f"mv {config}.good {config} && systemctl start collector")


@pytest.mark.usefixtures("sent")
def test_backup_is_written_by_its_own_unit(machine: Machine) -> None:
    machine.run("systemctl start collector-backup")
    (backup,) = machine.run("ls /var/backups/collector").stdout.split()
    assert (
        "are what was written"
        in machine.run(f"collector restore --check --from /var/backups/collector/{backup}").stdout
    )
    assert machine.run("stat -c '%a %U' /var/backups/collector").stdout == "700 collector\n"
    assert machine.run("systemctl enable --now collector-backup.timer && systemctl list-timers").stdout.count(
        "collector-backup"
    )


@pytest.mark.usefixtures("sent")
def test_files_are_for_the_collector_alone(machine: Machine) -> None:
    assert machine.run("stat -c '%a %U' /var/lib/collector").stdout == "700 collector\n"
    assert machine.run("stat -c '%a %U %G' /etc/collector /etc/collector/collector.toml").stdout.split("\n")[:2] == [
        "750 root collector",
        "640 root collector",
    ]
    open_to_others = machine.run("find /var/lib/collector ! -type l -perm /077 ! -path '*/engine/*'").stdout
    assert open_to_others == ""
    # No command of root's left a file that is not the collector's.
    assert machine.run("find /var/lib/collector ! -user collector").stdout == ""


@pytest.mark.usefixtures("sent")
def test_doctor_finds_nothing_on_a_fresh_installation(machine: Machine) -> None:
    found = machine.run("collector doctor", check=False)
    assert found.returncode == 0, found.stdout
    assert "nothing to do" in found.stdout


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_understood_and_shut_in(machine: Machine, unit: str) -> None:
    verified = machine.run(f"systemd-analyze verify /usr/lib/systemd/system/{unit} 2>&1", check=False)
    assert (verified.returncode, verified.stdout) == (0, "")
    score = machine.run(f"systemd-analyze security --no-pager {unit} | tail -2").stdout
    found = re.search(r"exposure level for \S+: (\d+\.\d+)", score)
    assert found, score
    assert float(found[1]) <= MOST_EXPOSURE


def test_installer_explains_itself_and_refuses_what_cannot_be(machine: Machine) -> None:
    script = "/srv/product-telemetry/deploy/systemd/install.sh"
    assert "--wheels" in machine.run(f"{script} --help").stdout
    for arguments, says in (("", "none was named"), ("nothing.whl", "no such wheel"), ("--what x", "no option --what")):
        done = machine.run(f"{script} {arguments}", check=False)
        assert done.returncode == 2
        assert says in done.stdout
    again = machine.run(INSTALL, check=False)
    assert again.returncode == 2
    assert "is there already" in again.stdout


def test_shell_scripts_are_clean() -> None:
    needed("shellcheck")
    scripts = [PROJECT / "deploy/systemd" / name for name in ("install.sh", "collector")]
    checked = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
