"""Runs the Python client many times without starting Python each time: a program that forks for each command.

Standard input: one JSON object a line, `arguments`, `environment`, `directory` and `files` (what to read from,
write to and complain to). Standard output: the exit code of each, a line. Starting Python is most of what a
command of this client costs; the suites that set STARTS_FRESH in their module start it all the same.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import random
import sys
from typing import TYPE_CHECKING, Any

from telemetry_client.__main__ import main

if TYPE_CHECKING:
    from typing import NoReturn

for _name in ("cli", "delivery", "transport", "tls", "background", "sealing", "sent"):
    importlib.import_module(f"telemetry_client.{_name}")


def _become(command: dict[str, Any]) -> NoReturn:
    """Is the client for this command, and ends."""
    os.chdir(command["directory"])
    for number, path in enumerate(command["files"]):
        os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY), number)
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False), encoding="utf-8", errors="surrogateescape")
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8", errors="surrogateescape")
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", errors="backslashreplace")
    sys.argv = ["telemetry-client", *command["arguments"]]
    random.seed()
    code: Any = 1
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


for line in sys.stdin:
    process = os.fork()
    if not process:
        _become(json.loads(line))
    _, status = os.waitpid(process, 0)
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
    sys.stdout.flush()
