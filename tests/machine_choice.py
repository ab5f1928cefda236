"""A machine whose administrator switched telemetry off stays off, in tests too: those that send skip there."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).parent.parent / "client_sdk/python"


@functools.cache
def _machine_says_off() -> str:
    environment = {"PATH": os.defpath, "PYTHONPATH": str(CLIENT), "HOME": "/nonexistent"}
    command = [sys.executable, "-m", "telemetry_client", "status", "--format", "json"]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    state = json.loads(found.stdout)
    return state["reason"] if state["rule"] in {"administrator", "stored"} and state["telemetry"] == "off" else ""


def skip_where_the_machine_says_off() -> None:
    """Skips the test where this machine's owner decided against telemetry."""
    reason = _machine_says_off()
    if reason:
        assert not os.environ.get("REQUIRE_ALL"), f"telemetry is off on this machine: {reason}"
        pytest.skip(f"telemetry is off on this machine: {reason}")
