"""What the checks look at: the directory, the settings that count, and what only the store knows.

Beside a running `serve` the store process is asked through the control socket. Without one a process of
its own opens the engine, so that an engine that ends the process which opens it ends only that one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.configuration import limits_of
from collector.control import NoAnswerError, ask
from collector.layout import Layout, looking
from collector.local_commands import SHOWN_FILES, last_due
from collector.retention.look import held_without
from schemas.policy import load_policy
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    import datetime as dt

    from collector.settings import Settings

ANSWER_SECONDS = 3
_OPEN_SECONDS = 60
_STARTS_SECONDS = 3


@dataclass(frozen=True)
class Case:
    """One examination.

    Attributes:
        settings: those of the running `serve` where one answers, else those that were given.
        paths: the data directory.
        now: the time (UTC).
        serving: whether a process holds the directory.
        days: what the store says of days, `last_closed` and `due`; None if it does not say.
        no_answer: why the store does not say, in words; empty if it does or need not.
        kept: what is held, as retention/status.py has it; None if that is not known.
    """

    settings: Settings
    paths: Layout
    now: dt.datetime
    serving: bool
    days: dict[str, Any] | None
    no_answer: str
    kept: list[dict[str, Any]] | None = None


def open_case(settings: Settings, now: dt.datetime) -> Case:
    """Collects what the checks need; what cannot be had is left out."""
    paths = Layout(settings.data.absolute())
    try:
        with looking(paths) as is_free:
            if is_free:
                days, no_answer = _look(settings, paths, now)
                return Case(settings, paths, now, False, days, no_answer, _kept(settings, paths, now, days))
    except OSError:
        return Case(settings, paths, now, False, None, "")
    days, no_answer, kept = None, "", None
    try:
        answer = _settings(paths)
        served = {name: Path(v) if name in SHOWN_FILES and v else v for name, v in answer.items()}
        settings = settings.model_copy(update=served)
        days = ask(paths.control, "/days", ANSWER_SECONDS)
        kept = ask(paths.control, "/retention", ANSWER_SECONDS)["rows"]
    except NoAnswerError as error:
        no_answer = str(error)
    return Case(settings, paths, now, True, days, no_answer, kept)


def _kept(
    settings: Settings, paths: Layout, now: dt.datetime, days: dict[str, Any] | None
) -> list[dict[str, Any]] | None:
    """What is held in a directory that nobody serves; None where there is none, or no policy to judge it by."""
    if not paths.spool.is_dir():
        return None
    try:
        limits = limits_of(settings, load_policy(settings.policy))
    except ConfigurationError:
        return None  # the check of the configuration says so
    return held_without(paths, days and days["held"], limits, now.date())


def _settings(paths: Layout) -> dict[str, Any]:
    """What a running `serve` says of its settings; one that is just starting is given a moment.

    Raises:
        NoAnswerError: it says nothing.
    """
    deadline = time.monotonic() + _STARTS_SECONDS
    while True:
        try:
            return ask(paths.control, "/settings", ANSWER_SECONDS)
        except NoAnswerError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _look(settings: Settings, paths: Layout, now: dt.datetime) -> tuple[dict[str, Any] | None, str]:
    """What a process of its own finds in the engine; nothing where there is none yet, or it is a server."""
    made = any((paths.engine / part).exists() for part in ("metadata", "store"))
    if settings.store_url is not None or not made:
        return None, ""
    through = last_due(now, settings.publish_after_minutes)
    command = [sys.executable, "-m", "collector.doctor.look", str(paths.engine), through.isoformat()]
    command.append(now.date().isoformat())
    try:
        looked = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, timeout=_OPEN_SECONDS, check=False, **_as_owner(paths.engine)
        )
    except subprocess.TimeoutExpired:
        return None, f"the engine does not open within {_OPEN_SECONDS} seconds"
    try:
        answer: dict[str, Any] = json.loads(looked.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return None, "the engine does not open: it ends the process that opens it"
    if "code" in answer:
        return None, f"the engine does not open (error code {answer['code']})"
    return answer, ""


def _as_owner(directory: Path) -> dict[str, Any]:
    """For root: opening the engine must leave no file in it that its owner cannot read."""
    owner = directory.stat()
    if os.geteuid() or not owner.st_uid:
        return {}
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
