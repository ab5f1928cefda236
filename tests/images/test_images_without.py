"""What an image's own programs are worth: each shell with each program that may speak TLS, and with none.

The tree has them all; here the ones that an image lacks are taken away. A client that cannot send says so in `status`
and is silent otherwise; it never sends without verifying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.images.conftest import MakeTree
    from tests.images.debian_tree import Tree
    from tests.images.network import Network

SHELLS = {"dash": "dash", "bash": "bash", "busybox": "/usr/bin/busybox sh"}
SENDERS = ("curl", "wget", "openssl")
PRODUCT = {"TELEMETRY_PRODUCT": "wordpress", "TELEMETRY_PRODUCT_VERSION": "6.4.2-0"}
# A process that ends by itself within two seconds (busybox' `timeout` looks once a second) is none that is left behind.
LEFT_OVER = """
running() {
    for process in /proc/[0-9]*; do
        [ "$process" = /proc/1 ] || [ "$process" = /proc/$$ ] || cat $process/comm 2>/dev/null
    done | grep -E 'telemetry|curl|wget|openssl|timeout|python'
}
tries=0
while running >/dev/null && [ $tries -lt 20 ]; do sleep 0.1; tries=$((tries + 1)); done
if running; then echo left over; fi
"""


def keep_only(tree: Tree, *senders: str) -> None:
    tree.remove("python3*", *(program for program in SENDERS if program not in senders))


def in_shell(tree: Tree, shell: str, command: str, network: Network) -> tuple[str, str]:
    """Standard output and error of the client in this shell; with busybox all other programs are busybox' too."""
    path = ""
    if shell == "busybox":
        path = "mkdir -p /bb && busybox --install -s /bb && PATH=/bb:/only && mkdir -p /only\n"
        path += "for sender in curl openssl; do [ ! -e /usr/bin/$sender ] || ln -sf /usr/bin/$sender /only/; done\n"
        path += "[ ! -e /usr/bin/wget ] || ln -sf /usr/bin/wget /bb/wget\n"
    script = f"{path}export PATH\n{SHELLS[shell]} /usr/bin/telemetry-client {command}\n{LEFT_OVER}"
    done = tree.run(script, network=network.name, environment=PRODUCT)
    assert "left over" not in done.stdout, done.stdout
    return done.stdout, done.stderr


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("shell", SHELLS)
def test_one_program_that_speaks_tls_is_enough(shell: str, sender: str, make_tree: MakeTree, network: Network) -> None:
    tree = make_tree("shell", "--no-units")
    keep_only(tree, sender)
    with network.collector():
        output, errors = in_shell(tree, shell, "send", network)
    assert output.startswith("accepted"), output + errors
    assert len(network.received()) == 1


@pytest.mark.parametrize("sender", SENDERS)
def test_a_certificate_of_nobody_is_refused_by_each(sender: str, make_tree: MakeTree, network: Network) -> None:
    tree = make_tree("shell", "--no-units")
    keep_only(tree, sender)
    with network.collector("accept", "unknown"):
        output, _errors = in_shell(tree, "dash", "send", network)
    with network.collector("accept", "other_name"):
        other, _errors = in_shell(tree, "dash", "send", network)
    assert network.received() == []
    assert "accepted" not in output + other


@pytest.mark.parametrize("shell", SHELLS)
def test_without_any_it_says_so_in_status_and_sends_nothing(shell: str, make_tree: MakeTree, network: Network) -> None:
    tree = make_tree("shell", "--no-units")
    keep_only(tree)
    with network.collector():
        output, _errors = in_shell(tree, shell, "send", network)
        status, _errors = in_shell(tree, shell, "status", network)
    assert network.received() == []
    assert "accepted" not in output
    assert "TLS" in status, status


def test_without_authorities_nothing_is_sent(make_tree: MakeTree, network: Network) -> None:
    for client in ("shell", "python"):
        tree = make_tree(client, "--no-units")
        tree.run("rm -rf /etc/ssl/certs /usr/share/ca-certificates /usr/lib/ssl/cert.pem")
        with network.collector():
            done = tree.run("telemetry-client send", network=network.name, environment=PRODUCT)
        assert done.returncode == 0
        assert network.received() == []
        assert "accepted" not in done.stdout


def test_the_python_client_needs_the_standard_library_of_a_minimal_image_only(
    make_tree: MakeTree, network: Network
) -> None:
    tree = make_tree("python", "--no-units")
    tree.remove(*SENDERS)
    with network.collector():
        sent = tree.run(f"telemetry-client send\n{LEFT_OVER}", network=network.name, environment=PRODUCT)
    assert sent.stdout.startswith("accepted"), sent
    assert "left over" not in sent.stdout
    assert len(network.received()) == 1
