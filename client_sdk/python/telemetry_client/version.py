"""The version of this client's contract with the collector: 410 stops exactly the versions that it names."""

from __future__ import annotations

CLIENT_VERSION = "1"
USER_AGENT = f"product-telemetry/{CLIENT_VERSION}"
