# One line at login, as long as nobody has said on or off; see `telemetry-client status`.
if [ -t 1 ] && [ -r /usr/lib/telemetry-client/notice ] && [ ! -e /var/lib/telemetry-client/consent ] &&
    [ ! -e "${XDG_STATE_HOME:-$HOME/.local/state}/telemetry-client/consent" ] &&
    ! grep -Eqs '^[[:blank:]]*telemetry[[:blank:]]*=' /etc/telemetry-client/config; then
    cat /usr/lib/telemetry-client/notice
fi
