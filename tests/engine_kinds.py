"""The engines that the store's and the publisher's tests run on.

ENGINES names them, as `ENGINES=sharded`; `make test` leaves the shards to their own suite and `make test-cluster`.
"""

from __future__ import annotations

import os

KINDS = os.environ.get("ENGINES", "embedded,server").split(",")
