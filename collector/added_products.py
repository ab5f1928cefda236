"""Products that were added while running: `<data>/products.toml`, in the format of schemas/products.toml.

Invariants:
    1. The file is replaced as a whole, durably: a reader finds it as it was before or after.
    2. One writer at a time (flock on the data directory), so that two commands at once lose nothing.
    3. It belongs to the owner of the data directory, also when root runs the command.
    4. Comments that a person wrote into it stay.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

import tomlkit
from tomlkit.items import InlineTable

from collector.ingest.owned_files import sync_directory
from schemas.catalogue import Catalogue, Product
from schemas.problems import parse, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector.layout import Layout

_TABLE = "products"
_HEADER = "Products added by `collector products add`; they report beside those of the configured catalogue."


def added_products(paths: Layout) -> dict[str, Product]:
    """The added products by name, read but not yet judged by a policy.

    Raises:
        ConfigurationError: the file cannot be used.
    """
    if not paths.added_products.exists():
        return {}
    return parse(Catalogue, read_toml(paths.added_products), paths.added_products).products


@contextmanager
def editing(paths: Layout) -> Iterator[None]:
    """Lets one process at a time read the products and change them."""
    descriptor = os.open(paths.data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(paths: Layout, name: str, product: Product) -> None:
    """Adds a product, inside `editing`."""
    document = _document(paths.added_products)
    if not document.get(_TABLE):
        document.pop(_TABLE, None)
        document.add(_TABLE, tomlkit.table(is_super_table=True))
    products = document[_TABLE]
    entry = tomlkit.inline_table() if isinstance(products, InlineTable) else tomlkit.table()
    entry.update(product.model_dump(mode="json", exclude_defaults=True))
    products.update({name: entry})
    _replace(paths.added_products, tomlkit.dumps(document))


def erase(paths: Layout, name: str) -> None:
    """Takes a product out, inside `editing`; with the last one the file goes."""
    document = _document(paths.added_products)
    del document[_TABLE][name]
    if document[_TABLE]:
        _replace(paths.added_products, tomlkit.dumps(document))
    else:
        paths.added_products.unlink()
        sync_directory(paths.data)


def _document(path: Path) -> tomlkit.TOMLDocument:
    if path.exists():
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    document = tomlkit.document()
    document.add(tomlkit.comment(_HEADER))
    document.add(tomlkit.nl())
    return document


def _replace(path: Path, content: str) -> None:
    # The directory's owner may not be who runs this: a file or link that is there already is never written to.
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        owner = path.parent.stat()
        if os.geteuid() == 0:
            # A file that only root can read would stop the collector at its next start.
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
