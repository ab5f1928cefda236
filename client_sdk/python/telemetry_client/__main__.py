"""The entry point of `telemetry-client`, with the only broad guard: a boot must never fail because of it."""

from __future__ import annotations

import sys
from typing import List, Optional

_INTERRUPTED = 130


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the command line and returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        # Inside the guard, because an import can fail too in a Python that was cut down.
        from telemetry_client.cli import drop_output, is_of_output, run  # noqa: PLC0415

        try:
            return run(given)
        except BrokenPipeError:
            drop_output()
            return 0
        except OSError as error:
            if not is_of_output(error):
                raise
            drop_output()
            print("telemetry-client: the output could not be written", file=sys.stderr)
            return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - see the module's first line
        # The class only: the text of an error might quote what was about to be sent.
        print(f"telemetry-client: internal error ({type(error).__name__}); nothing was sent", file=sys.stderr)
        # 1 is an answer of `verify`.
        return 0 if "send" in given else 2 if "verify" in given else 1


if __name__ == "__main__":
    sys.exit(main())
