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
    cli(prog_name="collector")


if __name__ == "__main__":
    main()
