# Reports a product's version and surroundings to its vendor, if the person who runs it allows that.
#
#     package require telemetry
#     set result [telemetry::report -version 25.7.0 -answer 1]
#     puts [dict get $result message]
#
# It obeys consent and the limits (ten a day), returns within its time, never raises, processes no event of its caller's
# while it waits, and returns a dictionary: outcome message also_sent. Tcl 8.6 alone; package tls for https.

namespace eval ::telemetry {
    # Two versions: the package's, for people, and the contract's with the collector, the only one that is sent.
    variable package_version 0.1.0
    variable client_version 1
    variable user_agent product-telemetry/$client_version
    variable directory [file dirname [file normalize [info script]]]
    # Kept back from the network, so that the outbox is tidy before the caller's time is up.
    variable margin_ms 300
    variable attempts 0
    variable options {
        -version {} -license {} -answer {} -url {} -state-dir {} -config {} -timeout 8000 -command {} -os-version {}
        -language {}
    }
    namespace export report
}

apply {{directory} {
    foreach module {
        value text json descriptor files ownership random waiting programs assignments machine platform system cloud
        product facts permits permit report configuration state choices consent address endpoint proxy day limits pause
        outbox sent last_send lock sealing lookup connecting certificate secure http transport metadata delivery notice
        client
    } {
        uplevel #0 [list source -encoding utf-8 [file join $directory lib $module.tcl]]
    }
}} $::telemetry::directory

package provide telemetry $::telemetry::package_version

# Reports one run of InstallBuilder, where that is allowed.
#
#     -version V       the product's version; needed
#     -license KEY     of an owner; such a report is tried once and never written to disk
#     -answer 0|1      what the person just said when asked; left out where nobody asked
#     -url U           the collector; else TELEMETRY_URL, then the files
#     -state-dir D     where choice and outbox are kept
#     -config F        the image's configuration file
#     -timeout MS      for everything together, DNS included; 8000 if not given
#     -os-version, -language    else detected
#     -command CB      returns at once; the event loop then works on it and calls CB with the result
#
# Returns a dictionary of outcome, message and also_sent; with -command an empty one.
proc ::telemetry::report {args} {
    variable options
    variable attempts
    set problem [ProblemWith $args]
    if {$problem ne {}} {
        return [dict create outcome unusable message "nothing was sent: $problem" also_sent 0]
    }
    set stated [dict merge $options $args]
    # The caller's own list may still hold the key: this much is ours to forget.
    unset args
    set callback [dict get $stated -command]
    if {$callback eq {}} {
        return [Attempt $stated]
    }
    coroutine ::telemetry::attempt[incr attempts] ::telemetry::AttemptLater $stated $callback
    return {}
}

# The first argument that is not what it must be, in words without its value; empty where all are.
proc ::telemetry::ProblemWith {arguments} {
    variable options
    if {[catch {dict size $arguments}]} {
        return "each option needs a value"
    }
    dict for {name value} $arguments {
        if {![dict exists $options $name]} {
            return "an option is not understood; there are [join [dict keys $options] {, }]"
        }
        if {$name in {-state-dir -config} && [string first \0 $value] >= 0} {
            return "$name has a character in it that no path can have"
        }
    }
    set stated [dict merge $options $arguments]
    if {[dict get $stated -answer] ni {{} 0 1}} {
        return "-answer must be 0 or 1, or be left out"
    }
    if {![regexp {^[1-9][0-9]{0,8}$} [dict get $stated -timeout]]} {
        return "-timeout must be a number of milliseconds above 0"
    }
    return {}
}

proc ::telemetry::AttemptLater {stated callback} {
    after 0 [list [info coroutine]]
    yield
    set result [Attempt $stated]
    unset stated
    # Not from within the coroutine: what the caller does then is the caller's.
    after 0 [concat $callback [list $result]]
}

proc ::telemetry::Attempt {stated} {
    variable margin_ms
    try {
        set deadline [waiting::deadline [expr {max(100, [dict get $stated -timeout] - $margin_ms)}]]
        set client [client::open [dict create state_dir [dict get $stated -state-dir] url [dict get $stated -url] \
            config [dict get $stated -config] answer [dict get $stated -answer]]]
        set given [dict create product $permit::installbuilder product_version [dict get $stated -version] \
            license_key [text::stripped [dict get $stated -license]] os_version [dict get $stated -os-version] \
            language [dict get $stated -language]]
        unset stated
        return [client::send $client $given $deadline]
    } on error {_ options} {
        # The class only: the text of an error might quote what was about to be sent.
        set kind [lindex [dict get $options -errorcode] 0]
        return [dict create outcome failed message "internal error ($kind)" also_sent 0]
    }
}
