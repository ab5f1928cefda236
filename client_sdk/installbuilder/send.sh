#!/bin/sh
# Sends one usage report of an installer, or remembers a "no". Started by telemetry.xml; README.md tells the rest.
#
#   send.sh [--license-key-stdin] [--root DIR]     exit code 0, no output, returns at once
#   send.sh --dry-run ...                          asks the collector whether it would take the report, and prints that;
#                                                  exit code 1 where it would refuse it; http to this machine will do
#
# From the environment: TELEMETRY_INSTALLER_ANSWER (yes, no), _URL, _PRODUCT, _PRODUCT_VERSION, _OS_VERSION, _LANGUAGE.
# From standard input, where told so: the licence key. It is held in a variable of this shell that is not exported, and
# leaves it on curl's standard input: no argument, no file and no child's environment ever holds it.
#
# Who decides is the table in client_sdk/README.md: any "off" wins over the yes. What is not understood counts as off.
# Without curl nothing is sent. Nothing is kept for later and nothing is tried twice.

key_is_on_stdin='' root='' dry_run=''
while [ $# -gt 0 ]; do
    case $1 in
        --license-key-stdin) key_is_on_stdin=1 ;;
        --dry-run) dry_run=1 ;;
        --root)
            [ $# -gt 1 ] || exit 0
            root=$2
            shift
            ;;
        *) exit 0 ;; # not repeated: it may be a key
    esac
    shift
done
# Where the caller's environment makes the shell trace what it does or export what it sets.
exec 2>/dev/null
set +a +x
umask 022
# A variable that came from the environment would stay exported, whatever is put into it.
unset TELEMETRY_LICENSE_KEY key body line found setting choices proxy file_proxy
newline='
'
blank=$(printf ' \t\r\v\f')

# --- text, as in client_sdk/CONTRACT.md -------------------------------------------------------------------------------

trimmed() { # $1 without blanks at either end, in $found
    found=${1#"${1%%[!"$blank"]*}"}
    found=${found%"${found##*[!"$blank"]}"}
}

lowered() { # $1 in ASCII lower case, in $found
    # shellcheck disable=SC2018,SC2019 # other letters do not change
    found=$(printf '%s' "$1" | LC_ALL=C tr 'A-Z' 'a-z')
}

unquoted() { # the value $1 as a shell would assign it, in $found; false for what is more than plain words
    found=$1
    case $found in
        \'*\') found=${found#\'} found=${found%\'} ;;
        \"*\") found=${found#\"} found=${found%\"} ;;
        *["$blank"]*) return 1 ;;
    esac
    case $found in *[\'\"\\]*) return 1 ;; esac
}

says_on() {
    lowered "$1"
    case $found in on | 1 | true | yes | enabled) return 0 ;; esac
    return 1
}

is_set() { # whether the variable's value $1 counts as set
    trimmed "$1"
    lowered "$found"
    case $found in '' | 0 | false) return 1 ;; esac
    return 0
}

# Reads KEY=VALUE lines of the file $1 and calls `$2 KEY VALUE` for each; false where something is not understood.
each_setting() {
    [ -f "$1" ] && [ -r "$1" ] || return 1
    while IFS= read -r line || [ -n "$line" ]; do
        trimmed "$line"
        line=${found#"export "}
        case $line in
            '' | '#'*) continue ;;
            *=*) ;;
            *) return 1 ;;
        esac
        trimmed "${line%%=*}"
        setting=$found
        trimmed "${line#*=}"
        unquoted "$found" && "$2" "$setting" "$found" || return 1
    done <"$1"
}

# --- who forbids ------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2317 # called by name
allows_setting() { # of a configuration file
    lowered "$1"
    case $found in
        telemetry) says_on "$2" ;;
        default) # what holds while nobody answers, so that either will do
            lowered "$2"
            case $found in on | 1 | true | yes | enabled | off | 0 | false | no | disabled) ;; *) return 1 ;; esac
            ;;
        url) [ -n "$2" ] ;;
        proxy) file_proxy=${file_proxy:-$2} ;;
        *) return 1 ;;
    esac
}

# shellcheck disable=SC2317 # called by name
allows_choice() { # of a stored choice
    case $1 in
        choice) choices=1 && [ "$2" = on ] ;;
        *) return 0 ;;
    esac
}

may_exist() { # also what this user may not look at
    if [ -e "$1" ] || [ -L "$1" ]; then return 0; fi
    above=${1%/*}
    while [ -n "$above" ] && [ ! -d "$above" ]; do above=${above%/*}; done
    [ -n "$above" ] && [ ! -x "$above" ]
}

configuration_allows() {
    for file in "$root/etc/telemetry-client/config" "$root${TELEMETRY_CONFIG:-/etc/telemetry-client/image}" \
        ${root:+/etc/telemetry-client/config}; do
        ! may_exist "$file" || each_setting "$file" allows_setting || return 1
    done
}

environment_allows() {
    trimmed "${TELEMETRY-}"
    [ -z "$found" ] || says_on "$found" || return 1
    ! is_set "${DO_NOT_TRACK-}" || return 1
    [ -z "$dry_run" ] || return 0
    for value in "${CI-}" "${CONTINUOUS_INTEGRATION-}" "${GITHUB_ACTIONS-}" "${GITLAB_CI-}" "${BUILDKITE-}" \
        "${CIRCLECI-}" "${TRAVIS-}" "${APPVEYOR-}" "${DRONE-}" "${SEMAPHORE-}" "${TF_BUILD-}" "${JENKINS_URL-}" \
        "${TEAMCITY_VERSION-}" "${CODEBUILD_BUILD_ID-}" "${BITBUCKET_BUILD_NUMBER-}"; do
        ! is_set "$value" || return 1
    done
}

# This user's state directories, one a line, the usual one first: for root the machine's.
own_places() {
    if [ "$(id -u)" = 0 ]; then
        printf '%s\n' "$root/var/lib/telemetry-client"
    else
        case ${XDG_STATE_HOME-} in /*) printf '%s\n' "$XDG_STATE_HOME/telemetry-client" ;; esac
        case ${HOME-} in /*) printf '%s\n' "$HOME/.local/state/telemetry-client" ;; esac
    fi
}

# The same after the one that the environment names.
used_places() {
    [ -z "${TELEMETRY_STATE_DIR-}" ] || printf '%s\n' "$TELEMETRY_STATE_DIR"
    own_places
}

all_places() {
    used_places
    printf '%s\n' "$root/var/lib/telemetry-client" /var/lib/telemetry-client
}

stored_choices_allow() (
    boot=$(cat /proc/sys/kernel/random/boot_id)
    all_places | while IFS= read -r place; do
        choices=''
        ! may_exist "$place/consent" || { each_setting "$place/consent" allows_choice && [ -n "$choices" ]; } || exit 1
        # A collector told this version to stop, or the image is sealed until it boots again.
        ! holds "$place/stopped" 'version = 1' || exit 1
        ! holds "$place/sealed" "${boot:-no boot is known}" || exit 1
    done
)

holds() { # whether the file $1 holds the text $2; a FIFO in its place would block for ever
    [ -f "$1" ] && grep -qF "$2" "$1"
}

# --- remembering a no -------------------------------------------------------------------------------------------------

write_whole() { # the text $2 as the file $1, beside it first
    if [ ! -d "${1%/*}" ]; then
        mkdir -p "${1%/*}" && chmod 755 "${1%/*}" || return 1
    fi
    # The link is replaced, not what it leads to.
    [ ! -L "$1" ] || rm -f "$1"
    [ ! -d "$1" ] || return 1
    # Made by who writes it, with the umask's mode; nobody can be there first under a name that is random.
    temporary=${1%/*}/.telemetry-$(od -An -v -N16 -tx1 /dev/urandom | tr -d ' \n')
    if (set -C && printf '%s\n' "$2" >"$temporary") && mv -f "$temporary" "$1"; then
        return 0
    fi
    rm -f "$temporary"
    return 1
}

# First stored, so that a client that is at work there hears it.
remember_no() {
    used_places | while IFS= read -r place; do
        write_whole "$place/consent" "choice = off${newline}chosen_at = $(date +%s)"
        forget_waiting "$place"
    done
}

forget_waiting() { # in the state directory $1; of a link only the link is taken away
    if [ -L "$1/outbox" ]; then rm -f "$1/outbox"; else rm -f "$1/outbox"/*.json; fi
}

# --- one report -------------------------------------------------------------------------------------------------------

encoded() { # every byte of $1 as %XX: nothing is left that could mean anything
    printf '%s' "$1" | od -An -v -tx1 | tr -d '\n' | tr -s ' ' '%' | sed 's/%$//'
}

add_field() {
    [ -z "$2" ] || body="$body${body:+&}$1=$(encoded "$2")"
}

# Standard input as it is, but for line ends after it; no program of its own that could outlive this shell.
read_key() {
    key=''
    while IFS= read -r line || [ -n "$line" ]; do
        key="$key$line$newline"
        [ ${#key} -lt 4096 ] || break
    done
    key=${key%"${key##*[!"$newline"]}"}
}

post() { # the body on standard input; prints the status, after the answer where this is a dry run
    set -- -q -sS --proto =https --proto-redir =https --max-redirs 0 --connect-timeout 3 -m 8 \
        -A product-telemetry/1 -H Accept: -H 'Content-Type: application/x-www-form-urlencoded' --data-binary @-
    if [ "$scheme" = http ]; then
        proxy=none
        set -- "$@" --proto =http
    fi
    case $proxy in
        '') ;;
        none) set -- "$@" --noproxy '*' ;;
        *) export https_proxy="$proxy" ;; # not an argument: it may hold a password
    esac
    target=$TELEMETRY_INSTALLER_URL/v1/reports/installbuilder-run/1
    if [ -n "$dry_run" ]; then
        curl "$@" -w '\n%{http_code}' "$target?dry_run=1"
    else
        curl "$@" -o /dev/null -w '%{http_code}' "$target"
    fi
}

make_body() {
    body=''
    add_field product "${TELEMETRY_INSTALLER_PRODUCT-}"
    add_field product_version "${TELEMETRY_INSTALLER_PRODUCT_VERSION-}"
    add_field os_version "${TELEMETRY_INSTALLER_OS_VERSION-}"
    add_field language "${TELEMETRY_INSTALLER_LANGUAGE-}"
    [ -n "$key_is_on_stdin" ] || return 0
    read_key
    add_field license_key "$key"
}

deliver() {
    make_body
    [ "$(printf '%s' "$body" | post)" = 410 ] || return
    used_places | while IFS= read -r place; do
        write_whole "$place/stopped" 'version = 1'
        forget_waiting "$place"
        break
    done
}

# After ten seconds the signal $1 goes to the process $2, unless the guard is killed before.
start_guard() {
    {
        trap 'kill "$pause"; exit' TERM
        sleep 10 3<&- &
        pause=$!
        wait "$pause"
        kill "-$1" "$2"
    } </dev/null 3<&- &
    guard=$!
}

# In the background, of which nothing is left after ten seconds.
in_the_background() {
    trap '' HUP
    deliver <&3 3<&- &
    delivery=$!
    start_guard KILL "$delivery"
    exec 3<&-
    wait "$delivery"
    kill "$guard"
}

try_out() {
    trap 'nothing_is_sent "the licence key did not come"' ALRM
    start_guard ALRM $$
    make_body <&3
    kill "$guard"
    answer=$(printf '%s' "$body" | post) || nothing_is_sent 'the collector cannot be reached'
    # What comes from the network must not speak to the terminal.
    printf '%s\n' "${answer%"$newline"*}" | LC_ALL=C tr -cd '\n -~'
    case ${answer##*"$newline"} in 400 | 404 | 405 | 413 | 415 | 422) exit 1 ;; esac
    exit 0
}

is_here() { # whether the address $1 is http to this machine
    case $1 in http://*) found=${1#http://} ;; *) return 1 ;; esac
    found=${found%%/*}
    case ${found#"${found%%:*}"} in '' | :[0-9]*) ;; *) return 1 ;; esac
    found=${found%%:*}
    case $found in
        localhost) ;;
        127.*[!0-9.]* | *..* | 127.*.*.*.*) return 1 ;;
        127.[0-9]*.[0-9]*.[0-9]*) ;;
        *) return 1 ;;
    esac
}

nothing_is_sent() { # because of $1
    [ -z "$dry_run" ] || printf 'nothing is sent: %s\n' "$1"
    exit 0
}

case ${TELEMETRY_INSTALLER_ANSWER-} in
    yes) ;;
    no)
        [ -n "$dry_run" ] || remember_no
        nothing_is_sent 'the answer is no'
        ;;
    *) nothing_is_sent 'there is no answer' ;;
esac
command -v curl >/dev/null || nothing_is_sent 'there is no curl'
scheme=https
if [ -n "$dry_run" ] && is_here "${TELEMETRY_INSTALLER_URL-}"; then scheme=http; fi
case ${TELEMETRY_INSTALLER_URL-} in
    https:///* | *[!-A-Za-z0-9._~:/%]*) nothing_is_sent 'the address is not usable' ;; # no user name, query, fragment
    "$scheme"://?*) TELEMETRY_INSTALLER_URL=${TELEMETRY_INSTALLER_URL%/} ;;
    *) nothing_is_sent 'the address is not https' ;;
esac
if ! { configuration_allows && environment_allows && stored_choices_allow; }; then
    nothing_is_sent 'this machine says off'
fi
proxy=${TELEMETRY_PROXY:-${file_proxy-}}
case $proxy in
    http://*) ;;
    *://*) nothing_is_sent 'the proxy is not usable' ;;
esac
# A printf that is no part of the shell would show the key among its arguments.
case $(type printf) in *builtin*) ;; *) key_is_on_stdin='' ;; esac
# Standard input may be closed or a terminal.
if [ -n "$key_is_on_stdin" ] && [ ! -t 0 ] && (exec 3<&0); then exec 3<&0; else exec 3</dev/null; fi
[ -z "$dry_run" ] || try_out
# `exec`: where a redirection is for one command, the shell keeps the caller's output open beside it, and who waits for
# its end would wait for curl.
(
    exec </dev/null >/dev/null
    in_the_background
) &
exit 0
