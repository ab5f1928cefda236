"""Two versions: the package's, for people, and the contract's with the collector, the only one that is sent.

A collector's 410 stops exactly the versions of the contract that it names.
"""

from __future__ import annotations

__version__ = "0.1.0"
CLIENT_VERSION = "1"
USER_AGENT = f"product-telemetry/{CLIENT_VERSION}"
