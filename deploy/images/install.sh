#!/bin/sh
# Puts the telemetry client and its boot integration into an image, or takes them out.
#
#   install.sh --client shell|python [--root DIR] [--url https://...] [--default on|off] [--replace-image-file]
#              [--product NAME] [--product-version VERSION] [--no-units]
#   install.sh --remove [--root DIR]
#
# --root DIR            a mounted image; without it, this system
# --url, --default      written to /etc/telemetry-client/image if that is not there yet
# --replace-image-file  written there although it is
# --product ...         for images that do not say themselves what they are; what is not given is detected
# --no-units            the client alone, e.g. for a container
#
# `--option=value` is the same as `--option value`. The administrator's file /etc/telemetry-client/config and what the
# client remembers are left alone, by --remove too, and so is /etc/telemetry-client/image where another one wrote it.
set -eu
# A directory that everybody can write would make the "on" in it one that is not heard.
umask 022

here=$(cd -- "$(dirname -- "$0")" && pwd)
sdk=$here/../../client_sdk
root='' client='' url='' default='' product='' version='' units=yes remove=no replace=no

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 2
}

# The comment at the top of this file.
help() {
    sed -n '2,/^[^#]/{ s/^# \{0,1\}//p; }' "$0"
}

take() {
    case $1 in
    --client) client=$2 ;;
    --root)
        root=${2%/}
        # An empty variable must not mean this system.
        [ -d "${root:+$root/}" ] || fail "--root is no directory of an image"
        ;;
    --url) url=$2 ;;
    --default) default=$2 ;;
    --product) product=$2 ;;
    --product-version) version=$2 ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
    --client | --root | --url | --default | --product | --product-version)
        [ $# -gt 1 ] || fail "$1 needs a value"
        take "$1" "$2"
        shift 2
        ;;
    --client=* | --root=* | --url=* | --default=* | --product=* | --product-version=*)
        take "${1%%=*}" "${1#*=}"
        shift
        ;;
    --no-units) units=no && shift ;;
    --replace-image-file) replace=yes && shift ;;
    --remove) remove=yes && shift ;;
    --help | -h)
        help
        exit 0
        ;;
    *) fail "not understood: see --help" ;;
    esac
done

usr=$root/usr/lib/telemetry-client
image=$root/etc/telemetry-client/image
# What this wrote there, so that it takes nothing away that somebody else wrote.
written=$usr/image
systemd=$root/usr/lib/systemd/system
wanted=$root/etc/systemd/system/timers.target.wants

remove_all() {
    for timer in telemetry-client.timer telemetry-client-retry.timer; do
        [ -n "$root" ] || [ ! -d /run/systemd/system ] || systemctl stop "$timer" || :
        rm -f "$wanted/$timer"
    done
    for unit in "$here"/systemd/*; do
        rm -f "$systemd/${unit##*/}"
    done
    if [ -f "$image" ] && [ -f "$written" ] && [ "$(cat "$image")" = "$(cat "$written")" ]; then
        rm -f "$image"
        rmdir "${image%/*}" 2>/dev/null || :
    elif [ -e "$image" ]; then
        echo "install.sh: ${image#"$root"} stays: it is not what this installer wrote"
    fi
    rm -rf "$usr"
    rm -f "$root/usr/bin/telemetry-client" "$root/etc/profile.d/telemetry-client.sh"
}

install_client() {
    mkdir -p "$usr" "$root/usr/bin"
    case $client in
    shell)
        install -m 0755 "$sdk/shell/telemetry-client" "$root/usr/bin/telemetry-client"
        rm -rf "$usr/python"
        ;;
    python)
        rm -rf "$usr/python"
        mkdir -p "$usr/python/telemetry_client"
        cp "$sdk"/python/telemetry_client/*.py "$sdk/python/telemetry_client/permits.json" "$usr/python/telemetry_client"
        printf 'import sys\n\nfrom telemetry_client.__main__ import main\n\nsys.exit(main())\n' >"$usr/python/__main__.py"
        chmod -R u=rwX,go=rX "$usr/python"
        # -I: nothing that the caller's directory or environment holds is imported.
        printf '#!/bin/sh\nexec python3 -I /usr/lib/telemetry-client/python "$@"\n' >"$root/usr/bin/telemetry-client"
        chmod 0755 "$root/usr/bin/telemetry-client"
        # Compiled once here, because a service cannot write there; elsewhere the image's Python may be another one.
        [ -n "$root" ] || python3 -m compileall -q "$usr/python" || :
        ;;
    *) fail "--client is shell or python" ;;
    esac
}

install_image_file() {
    [ -n "$url$default" ] || return 0
    if [ -e "$image" ] && [ "$replace" = no ]; then
        echo "install.sh: ${image#"$root"} is there and stays as it is; --replace-image-file writes it anew"
        return
    fi
    mkdir -p "$root/etc/telemetry-client"
    {
        echo "# What holds in this image while nobody says otherwise in the file \`config\` beside it."
        [ -z "$default" ] || echo "default = $default"
        [ -z "$url" ] || echo "url = $url"
    } >"$written"
    install -m 0644 "$written" "$image"
}

install_units() {
    mkdir -p "$systemd" "$wanted" "$root/etc/profile.d"
    for unit in "$here"/systemd/*; do
        install -m 0644 "$unit" "$systemd/${unit##*/}"
    done
    for timer in telemetry-client.timer telemetry-client-retry.timer; do
        ln -sf "/usr/lib/systemd/system/$timer" "$wanted/$timer"
    done
    install -m 0755 "$here/user-data" "$usr/user-data"
    if [ -n "$product$version" ]; then
        {
            [ -z "$product" ] || echo "TELEMETRY_PRODUCT=$product"
            [ -z "$version" ] || echo "TELEMETRY_PRODUCT_VERSION=$version"
        } >"$usr/environment"
    fi
    # Where the image says on, whoever logs in reads it before the first report leaves.
    if grep -Eqs '^[[:blank:]]*default[[:blank:]]*=[[:blank:]]*on' "$image"; then
        install -m 0644 "$here/notice" "$usr/notice"
        install -m 0644 "$here/profile.sh" "$root/etc/profile.d/telemetry-client.sh"
    fi
}

case $default in on | off | '') ;; *) fail "--default is on or off" ;; esac
case $product$version in *[!a-zA-Z0-9.+_~-]*) fail "a product or version holds other characters than letters, digits and .+_~-" ;; esac

case $url in
*[!!-~]*) fail "--url has blanks or control characters in it" ;;
'' | https://?*) ;;
'http://[::1]' | 'http://[::1]'[:/]*) ;;
http://*)
    host=${url#http://}
    case ${host%%[:/]*} in
    localhost) ;;
    127.*[!0-9.]* | 127.*..*) fail "--url: plain http is allowed to this machine only; use https" ;;
    127.*.*.*[0-9]) ;;
    *) fail "--url: plain http is allowed to this machine only; use https" ;;
    esac
    ;;
*) fail "--url does not begin with https:// and a host name" ;;
esac

# A link in an image must not lead root to another tree.
if [ -n "$root" ]; then
    inside=$(readlink -f -- "$root")
    for target in "$usr" "$usr/environment" "$usr/notice" "$written" "$image" "$systemd" "$wanted" \
        "$root/usr/bin/telemetry-client" "$root/etc/profile.d/telemetry-client.sh"; do
        case $(readlink -m -- "$target") in
        "$inside"/*) ;;
        *) fail "a link in the image leads out of it: ${target#"$root"}" ;;
        esac
    done
fi

if [ "$remove" = yes ]; then
    remove_all
    exit 0
fi
install_client
install_image_file
[ "$units" = no ] || install_units
