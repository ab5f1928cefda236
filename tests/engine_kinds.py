"""The engines that the store's and the publisher's tests run on.

ENGINES names them, as `ENGINES=server,sharded` in `make test-cluster`. Without it the store's tests run on the embedded
engine and on a server, and those of closing and releasing on the first alone: their statements are the same everywhere,
and tests/end_to_end/test_parts_on_a_cluster.py holds three shards to the cells of one embedded engine.
"""

from __future__ import annotations

import os

_ASKED = os.environ.get("ENGINES")
KINDS = (_ASKED or "embedded,server").split(",")
PUBLISHING_KINDS = (_ASKED or "embedded").split(",")
MOVING_KINDS = [kind for kind in (_ASKED or "sharded").split(",") if kind != "embedded"]
