#!/bin/sh
# Reports this start of the container in the background, then becomes the product.

# Without a product there is nothing to report either.
if [ $# = 0 ]; then
    echo 'telemetry-entrypoint: nothing to start: an ENTRYPOINT takes the CMD of the base image away, repeat it' >&2
    exit 127
fi

# The line returns after the decision, and never fails. Its standard error stays open for the one-line notice, which
# belongs in the container's log; the process that sends has none of these files, and ends within nine seconds. Where
# process 1 does not collect its dead (no `--init`, no tini), that process stays in the list as one zombie.
telemetry-client send --background </dev/null >/dev/null || :

exec "$@"
