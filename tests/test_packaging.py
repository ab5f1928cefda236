"""What is installed by `pip install product-telemetry`: the client, on old Pythons, with no dependency."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    # Built from a copy: a build leaves nothing behind in the checkout.
    source = directory / "source"
    keep_out = shutil.ignore_patterns(".venv", ".git", "data", "demo-data", ".*_cache", "__pycache__")
    shutil.copytree(PROJECT, source, ignore=keep_out)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", directory, source]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = directory.glob("*.whl")
    return built


def test_base_install_needs_no_package_and_takes_old_pythons(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith("METADATA"))
        metadata = archive.read(name).decode()
    assert "Requires-Python: >=3.8" in metadata
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert required
    assert all("extra ==" in line for line in required)


def test_wheel_holds_what_the_programs_read(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "telemetry_client/permits.json",
        "schemas/policy.toml",
        "schemas/products.toml",
        "schemas/published/DATA.md",
        "schemas/published/history/policy-1.toml",
        "schemas/published/history/withdrawn.toml",
        "schemas/weaknesses.toml",
        "collector/publish/menu.toml",
        "collector/publish/attack-scores.json",
        "collector/reports/trends_templates/page.html",
        "collector/reports/pages/templates/frame.html",
        "collector/reports/pages/static/style.css",
        "collector/store/migrations/0001_private_and_public.sql",
    } <= names
    assert not [name for name in names if name.startswith("tests/")]


# Looked up before any test gives itself a home of its own.
_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))


def old_python() -> str | None:
    found = sorted(_PYENV.glob("versions/3.8.*/bin/python3.8"))
    return str(found[-1]) if found else shutil.which("python3.8")


def test_client_installs_and_shows_its_report_on_python_3_8(wheel: Path, tmp_path: Path) -> None:
    python = old_python()
    if python is None:
        assert not os.environ.get("REQUIRE_ALL"), "python3.8 is missing"
        pytest.skip("python3.8 is missing")
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [tmp_path / "venv/bin/pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", wheel]
    subprocess.run(pip, check=True)
    arguments = ["show", "--product", "wordpress", "--product-version", "6.4.2-0", "--url", "http://127.0.0.1:9"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    client = [tmp_path / "venv/bin/telemetry-client", *arguments]
    shown = subprocess.run(client, capture_output=True, text=True, env=environment, check=False)
    assert '"product_version":"6.4.2-0"' in shown.stdout.replace('": "', '":"')
    server = subprocess.run([tmp_path / "venv/bin/collector"], capture_output=True, text=True, check=False)
    assert server.returncode == 1
    assert "needs Python 3.11 or newer" in server.stderr


def test_every_script_of_the_project_exists() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert set(project["scripts"]) == {"collector", "telemetry-client"}
    assert project["dependencies"] == []
