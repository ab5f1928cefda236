"""Makes `telemetry-client.pyz`: the client in one file, which any Python from 3.8 on runs, from anywhere.

    python client_sdk/python/build_pyz.py [FILE]        default: telemetry-client.pyz

The same sources give the same bytes: names are sorted, and times, modes and the system that made the file are
constants. Every file is compressed; `permits.json` is read through the package's loader, so nothing is unpacked.
"""

from __future__ import annotations

import os
import sys
import zipfile
from typing import Iterator, Tuple

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = "telemetry_client"
_START = b"#!/usr/bin/env python3\n"
_MAIN = b"import sys\n\nfrom telemetry_client.__main__ import main\n\nsys.exit(main())\n"
# The earliest time that a zip can hold.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_FILE_MODE = 0o100644
_PROGRAM_MODE = 0o755


def build(target: str) -> int:
    """Writes the file; returns its size in bytes."""
    with open(target, "wb") as file:
        file.write(_START)
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in _contents():
                entry = zipfile.ZipInfo(name, _TIME)
                entry.create_system = _UNIX
                entry.external_attr = _FILE_MODE << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content)
    os.chmod(target, _PROGRAM_MODE)
    return os.path.getsize(target)


def _contents() -> Iterator[Tuple[str, bytes]]:
    yield "__main__.py", _MAIN
    for name in sorted(os.listdir(os.path.join(_HERE, _PACKAGE))):
        if name.endswith((".py", ".json")):
            with open(os.path.join(_HERE, _PACKAGE, name), "rb") as file:
                yield f"{_PACKAGE}/{name}", file.read()


def main(arguments: list[str]) -> int:
    """Builds, and says what and how large."""
    target = arguments[0] if arguments else "telemetry-client.pyz"
    print(f"{target}: {build(target)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
