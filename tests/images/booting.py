"""A real boot: systemd as process 1 of a container made by systemd-nspawn, in a network of its own.

A unit of the test's own, the probe, waits until the system says how it is and the sender has ended, writes what it saw
to /probe, and switches the machine off.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.images.debian_tree import Tree

PROBE = r"""#!/bin/sh
rm -rf /probe && mkdir /probe
systemctl is-system-running --wait >/probe/state
systemd-analyze time >/probe/time
systemd-analyze critical-chain --no-pager >/probe/chain
systemd-analyze blame --no-pager >/probe/blame
waited=0
wanted=ConditionTimestampMonotonic,ConditionResult,ActiveState,Result
while [ -e /probe-waits ] && [ $waited -lt 300 ]; do
    systemctl show telemetry-client.service -p $wanted >/probe/sender
    grep -q ConditionTimestampMonotonic=0 /probe/sender || grep -q ActiveState=active /probe/sender || break
    sleep 0.1
    waited=$((waited + 1))
done
systemctl is-system-running >/probe/state
systemctl list-units --failed --plain --no-legend >/probe/failed
for process in /proc/[0-9]*; do
    tr '\000' ' ' <$process/cmdline && echo
done | grep -E '[t]elemetry|[c]url|[w]get' >/probe/processes
journalctl --boot --no-pager -o cat -u 'telemetry-client*' >/probe/journal
[ ! -x /probe-more ] || /probe-more >/probe/more 2>&1
systemctl poweroff --force
"""

UNIT = """[Unit]
Description=What the test wants to know
[Service]
Type=simple
ExecStart=/probe.sh
[Install]
WantedBy=multi-user.target
"""

# Starts the sender and waits until it is done; part of a script for the probe.
SEND = """
systemctl start telemetry-client.service
while systemctl --quiet is-active telemetry-client.service; do sleep 0.1; done
"""
# The same for what waits.
RETRY = SEND.replace("client.service", "client-retry.service")

# The worst case for a boot: the sender starts in the middle of it.
AT_ONCE = "[Timer]\nOnBootSec=\nOnBootSec=1ms\nAccuracySec=1ms\nRandomizedDelaySec=0\n"


@dataclass(frozen=True)
class Boot:
    """What the probe saw."""

    state: str
    failed: str
    chain: str
    blame: str
    time: str
    sender: str
    processes: str
    journal: str
    more: str

    @property
    def is_undisturbed(self) -> bool:
        """Whether nobody would notice that the sender is there.

        The critical chain forgets a unit that has ended; `blame` names everything that a job waited for. The sender
        itself waits for the unit that hears user-data, and nothing else does.
        """
        waited_for = self.chain + self.blame.replace("telemetry-client-user-data.service", "")
        return self.state == "running" and not self.failed and not self.processes and "telemetry" not in waited_for


def prepare_boot(tree: Tree, delay: str = AT_ONCE) -> None:
    """Adds the probe, and shortens the sender's two minutes."""
    tree.write("/probe.sh", PROBE, 0o755)
    tree.write("/etc/systemd/system/probe.service", UNIT)
    (tree.path / "etc/systemd/system/multi-user.target.wants/probe.service").symlink_to("../probe.service")
    tree.write("/etc/systemd/system/telemetry-client.timer.d/test.conf", delay)
    # A container has a virtual terminal only where it is given one.
    (tree.path / "etc/systemd/system/console-getty.service").symlink_to("/dev/null")


def boot(tree: Tree, network: str, more: str = "", *, waits: bool = True) -> Boot:
    """Boots the tree and waits until it has switched itself off.

    more: a script that the probe runs at its end. waits: whether the probe waits for the sender, at most 30 s.
    """
    marker = tree.path / "probe-waits"
    if waits:
        marker.touch()
    else:
        marker.unlink(missing_ok=True)
    (tree.path / "probe-more").unlink(missing_ok=True)
    if more:
        tree.write("/probe-more", "#!/bin/sh\n" + more, 0o755)
    command = [
        *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"),
        *(f"--network-namespace-path=/run/netns/{network}", "-D", str(tree.path), "--boot"),
    ]
    booted = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, stdin=subprocess.DEVNULL)
    assert tree.read("/probe/state"), f"the tree did not boot: {booted.stdout[-2000:]}{booted.stderr[-2000:]}"
    names = ("state", "failed", "chain", "blame", "time", "sender", "processes", "journal", "more")
    return Boot(**{name: tree.read(f"/probe/{name}").strip() for name in names})
