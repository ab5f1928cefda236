"""Entry of the `collector` command.

Only this module is loaded first, and it runs on any Python that the client runs on, so that someone
who installed the client alone is told what is missing.
"""

import sys


def main():
    # type: () -> None
    """Runs the command line, or says what it needs."""
    if sys.version_info < (3, 11):
        sys.exit("collector: needs Python 3.11 or newer; the client (telemetry-client) runs on this one")
    try:
        from collector.cli.main import cli
    except ImportError as error:
        sys.exit(
            "collector: the server's packages are not installed (missing: {0}); "
            "run: pip install 'product-telemetry[collector,embedded]'".format(error.name)
        )
    try:
        cli(prog_name="collector")
    except OSError as error:
        # A directory one may not read, a full disk: the operator's to mend, not a bug.
        sys.exit("collector: {0}: {1}".format(error.filename or "output", error.strerror or "cannot be used"))


if __name__ == "__main__":
    main()
