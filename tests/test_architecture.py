"""Data flows one way, and so do imports: ingest -> store -> publish -> reports, all from schemas."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import PROJECT

# Room -> rooms it may import from. What stands beside the rooms in collector/ puts them together.
MAY_IMPORT = {
    "schemas": set(),
    "collector.noise": set(),
    "collector.flood": {"collector.noise"},
    "collector.settings": {"schemas", "collector.flood"},
    "collector.metrics": set(),
    "collector.logs": set(),
    "collector.layout": {"schemas", "collector.settings"},
    "collector.capacity": {"schemas"},
    "collector.addresses": set(),
    "collector.rate": {"collector.addresses"},
    "collector.ingest": {
        *("schemas", "collector.metrics", "collector.addresses", "collector.rate", "collector.flood"),
        "collector.noise",
    },
    "collector.store": {"collector.ingest", "collector.metrics"},
    "collector.publish": {"schemas", "collector.store", "collector.metrics", "collector.flood", "collector.noise"},
    # Before the room it stands in, which the first match decides: who may read knows nothing of what there is to read.
    "collector.reports.access": {
        *("schemas", "collector.settings", "collector.metrics", "collector.addresses", "collector.rate"),
    },
    "collector.reports": {"schemas", "collector.publish", "collector.reports.access"},
}
BEYOND_PUBLIC = {"collector.publish.closing", "collector.publish.publisher", "collector.publish.expiry"}


def modules() -> dict[str, Path]:
    files = [*(PROJECT / "collector").rglob("*.py"), *(PROJECT / "schemas").rglob("*.py")]
    return {".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports(path: Path) -> set[str]:
    """Project modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return {name for name in found if name.split(".")[0] in {"collector", "schemas", "telemetry_client"}}


def room(module: str) -> str | None:
    return next((r for r in MAY_IMPORT if module == r or module.startswith(f"{r}.")), None)


@pytest.mark.parametrize("module", sorted(m for m in modules() if room(m)))
def test_room_imports_only_from_the_rooms_before_it(module: str) -> None:
    own = room(module)
    assert own is not None
    for name in imports(modules()[module]):
        target = room(name)
        if target not in {own, None}:
            assert target in MAY_IMPORT[own], f"{module} imports {name}"


def test_reports_can_reach_published_cells_and_nothing_else() -> None:
    for module, path in modules().items():
        if module.startswith("collector.reports"):
            assert not imports(path) & BEYOND_PUBLIC, module
            assert not [name for name in imports(path) if name.startswith("collector.store")], module


def test_published_cells_are_read_from_the_public_tables_alone() -> None:
    text = (PROJECT / "collector/publish/released.py").read_text(encoding="utf-8")
    assert "private." not in text
    assert "public.cells" in text


def test_client_needs_no_server_code_and_no_package() -> None:
    for path in (PROJECT / "client_sdk/python/telemetry_client").rglob("*.py"):
        assert {name.split(".")[0] for name in imports(path)} <= {"telemetry_client"}, path.name
        assert "import aiohttp" not in path.read_text(encoding="utf-8")


def test_server_does_not_import_the_client() -> None:
    for module, path in modules().items():
        assert not [name for name in imports(path) if name.startswith("telemetry_client")], module


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert not {path.stem for path in PROJECT.glob("c*/**/*.py")} & empty
