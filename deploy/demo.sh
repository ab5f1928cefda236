#!/bin/sh
# The demo: a made-up fleet, published, and its counts. Touches ./demo-data and nothing else.
set -eu
BIN=${BIN:-.venv/bin}
DATA=demo-data

if [ -e "$DATA" ] && [ ! -e "$DATA/simulated" ]; then
    echo "demo: ./$DATA was not made by the demo; move it away first" >&2
    exit 2
fi
rm -rf "$DATA"

echo "A made-up fleet of 300,000 reports over 60 days goes through the real validation, spool and store,"
echo "and every day, week and month that is over is published. Under a minute."
echo
"$BIN/collector" simulate --data "$DATA" --days 60 --reports 300000 --seed 7
echo
"$BIN/collector" usage --data "$DATA" --top 10
echo
"$BIN/collector" usage --data "$DATA" --product wordpress --by product_version
"$BIN/collector" token create demo --role admin --days 30 --data "$DATA" > "$DATA/demo-token" 2> /dev/null
chmod 600 "$DATA/demo-token"
cat <<END

These are boots of made-up machines. Go on with:

  $BIN/collector usage --data $DATA --product wordpress --by os_version --compare previous
  $BIN/collector usage --data $DATA --product installbuilder --by product_version
  $BIN/collector usage --data $DATA --product nginx --by product_version --grain day --from $(date -u -d '7 days ago' +%F 2>/dev/null || date -u -v-7d +%F) --format csv
  $BIN/collector privacy
  $BIN/collector export-trends demo-trends --data $DATA

See what this very machine would report, without sending anything:

  $BIN/telemetry-client show --product wordpress --product-version 6.4.2-0 --url http://127.0.0.1:8080

The dashboard, beside a real collector, on ports of its own:

  $BIN/collector serve --data $DATA --ingest-port 18080 --reports-port 18081 --metrics-port 18082

  address   http://127.0.0.1:18081/
  token     $(cat "$DATA/demo-token")

The same over HTTP:

  curl -H "Authorization: Bearer \$(cat $DATA/demo-token)" 'http://127.0.0.1:18081/v1/usage?product=wordpress&by=product_version'

END
if [ -t 1 ]; then
    echo "Starting it now: open the address, sign in with the token, and stop it with Ctrl-C."
    exec "$BIN/collector" serve --data "$DATA" --ingest-port 18080 --reports-port 18081 --metrics-port 18082
fi
