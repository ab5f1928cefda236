"""Debian trees with the client in them, each in a network of its own with a stand-in collector."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.images.booting import prepare_boot
from tests.images.debian_tree import Tree, base_tree, needed, overlay
from tests.images.network import URL, Authority, Network, make_authority, private_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MakeTree = Callable[..., Tree]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Network]:
    with private_network(tmp_path_factory.mktemp("network"), authority) as network:
        yield network


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> tuple[Path, ...]:
    """The layers of a Debian that trusts the stand-in's authority and is ready to boot."""
    needed("systemd-nspawn")
    with overlay(tmp_path_factory.mktemp("prepared"), base_tree()) as tree:
        tree.write("/usr/local/share/ca-certificates/test.crt", authority.root)
        tree.write("/etc/hosts", "127.0.0.1 localhost telemetry.test\n")
        prepare_boot(tree)
        made = tree.run("update-ca-certificates 2>&1")
        assert made.returncode == 0, made.stdout
        return tree.upper, base_tree()


@pytest.fixture
def make_tree(tmp_path: Path, prepared: tuple[Path, ...]) -> Iterator[MakeTree]:
    """Makes a tree with a client installed as an image's builder would; none is named for a tree without one."""
    with contextlib.ExitStack() as stack:

        def make(client: str = "", *options: str) -> Tree:
            directory = tmp_path / f"tree-{len(list(tmp_path.glob('tree-*')))}"
            tree = stack.enter_context(overlay(directory, *prepared))
            if client:
                product = ("--product", "wordpress", "--product-version", "6.4.2-0")
                tree.install("--client", client, "--url", URL, "--default", "on", *product, *options)
            return tree

        yield make
