"""The one place that knows of replicas: what makes a database or a table is turned into what makes a replicated one.

A database with the engine Replicated brings each CREATE, RENAME, EXCHANGE and DROP to the other replicas of its
shard through Keeper, and a Replicated table its rows; `{shard}` and `{replica}` are macros of the server's own
configuration. Partitions are moved between tables of one shard, so all of them are replicated, or none.
"""

from __future__ import annotations

import re

_DATABASE = re.compile(r"CREATE DATABASE IF NOT EXISTS (\w+)")
_TABLE = re.compile(r"ENGINE = ((?:Replacing)?MergeTree)\b")


def replicated(statement: str) -> str:
    """The statement for a server that has replicas; one that makes nothing stays as it is."""
    made = _DATABASE.fullmatch(statement)
    if made:
        return f"{statement} ENGINE = Replicated('/telemetry/{made[1]}/{{shard}}', '{{shard}}', '{{replica}}')"
    return _TABLE.sub(r"ENGINE = Replicated\1", statement)
