"""The client of the machine that runs this program: where clock, environment and files come in."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Optional

from telemetry_client.client import Client, open_client
from telemetry_client.machine import this_machine
from telemetry_client.permits import load_permits
from telemetry_client.state import State, state_directory

if TYPE_CHECKING:
    from telemetry_client.call import Place


def open_here(
    *,
    root: str = "/",
    state_dir: Place = "",
    url: str = "",
    image_file: Place = "",
    answer: Optional[bool] = None,
) -> Client:
    """The client as a command line or a call states it; what is empty is found as the README says."""
    machine = this_machine(root)
    state = State(state_directory(machine, os.fspath(state_dir)))
    return open_client(
        machine, load_permits(), state, time.time(), url=url, image_file=os.fspath(image_file), answer=answer
    )
