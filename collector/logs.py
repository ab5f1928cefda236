"""One structured line for each event, on standard error.

The events are listed in `collector/events.py`. Only our own are written: the libraries' loggers quote
addresses and bodies in their messages, so of theirs only the fact and the exception's type are kept. No
event carries a report's content.
"""

from __future__ import annotations

import contextlib
import logging
import sys

import structlog

from collector.events import only_known


class _TypeOnly(logging.Handler):
    """Turns a library's message into an event without its text, which may hold an address or a value."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        structlog.get_logger().log(record.levelno, "library", library=record.name.split(".")[0], error=error)


class _Lines:
    """Writes lines to standard error; one that cannot be written is dropped: a full log must stop nothing."""

    def __call__(self, *_: object) -> _Lines:
        return self

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is the log

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg


def configure(log_format: str, process: str, *, quiet: bool = False) -> None:
    """Sets up logging for this process.

    Args:
        log_format: `json` or `text`.
        process: which process this is, e.g. `ingest-0`.
        quiet: warnings and errors only, for a command that shows progress of its own.
    """
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_known,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=_Lines(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(level=logging.WARNING, handlers=[_TypeOnly()], force=True)
