#!/bin/sh
# Installs one version of the collector beside those that are there, and makes it the current one.
#
#   install.sh WHEEL [--with EXTRAS] [--wheels DIR]
#
#   WHEEL    product_telemetry-VERSION-py3-none-any.whl
#   --with   what to install beside the base: "collector,embedded" (default), or "collector" where ClickHouse is a server
#   --wheels a directory with the wheels of the dependencies, for a machine without a package index
#
# Puts: /opt/product-telemetry/VERSION and `current`, which points to it; units; the user `collector`;
# /usr/local/bin/collector; /etc/collector/collector.toml, only if it is not there yet. Starts and stops nothing.
# Going back: ln -sfn VERSION /opt/product-telemetry/current, then systemctl restart collector.
set -eu

extras=collector,embedded wheel='' wheels=''
while [ $# -gt 0 ]; do
    case $1 in
    --with) extras=${2:?--with needs a list} && shift ;;
    --wheels) wheels=${2:?--wheels needs a directory} && shift ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" && exit 0 ;;
    -*) echo "install.sh: there is no option $1; see --help" >&2 && exit 2 ;;
    *) wheel=$1 ;;
    esac
    shift
done
[ -f "$wheel" ] || { echo "install.sh: no such wheel: ${wheel:-none was named}; see --help" >&2 && exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "install.sh: run this as root" >&2 && exit 2; }
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    { echo "install.sh: Python 3.11 with its venv is needed: apt-get install python3-venv" >&2 && exit 2; }

here=$(cd "$(dirname "$0")" && pwd)
root=/opt/product-telemetry
version=${wheel##*/}
version=${version#product_telemetry-}
version=${version%%-*}
[ ! -e "$root/$version" ] || { echo "install.sh: $root/$version is there already; remove it to install it anew" >&2 && exit 2; }

trap 'rm -rf "$root/$version"' EXIT
mkdir -p "$root"
python3 -m venv "$root/$version"
# Not --upgrade, no cache: what is installed is what the wheel asks for.
"$root/$version/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check \
    ${wheels:+--no-index --find-links "$wheels"} "${wheel}[$extras]"
"$root/$version/bin/collector" --version
trap - EXIT

ln -sfn "$version" "$root/current.new"
mv -T "$root/current.new" "$root/current"
install -m 0755 "$here/collector" /usr/local/bin/collector
install -d /usr/lib/systemd/system /usr/lib/sysusers.d /usr/lib/tmpfiles.d
install -m 0644 "$here"/*.service "$here"/*.timer /usr/lib/systemd/system/
install -m 0644 "$here/sysusers.conf" /usr/lib/sysusers.d/collector.conf
install -m 0644 "$here/tmpfiles.conf" /usr/lib/tmpfiles.d/collector.conf
systemd-sysusers collector.conf
systemd-tmpfiles --create collector.conf
if [ ! -e /etc/collector/collector.toml ]; then
    install -m 0640 -g collector "$here/collector.toml" /etc/collector/collector.toml
    echo "settings: /etc/collector/collector.toml"
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
echo "installed: $version; next: systemctl enable --now collector"
