# The commands: show, verify, send, status, log, on, off, seal.
#
# Exit codes: 0 done, also when opted out and whatever the network did; 1 a choice could not be stored everywhere, an image
# not be sealed, a dry run's report would be refused, or the standard output not be written; 2 wrong usage (arguments, a
# refused address, no product known). Those of `verify` are those of cmp: 0 the same, 1 differs, 2 could not be compared.

namespace eval ::telemetry::commands {
    # For `show`, which has no --timeout.
    variable key_ms 8000
    variable not_stored {Until it is stored, set TELEMETRY=off for whatever sends, or, as root, forbid it to every user:
  mkdir -p /etc/telemetry-client && echo 'telemetry = off' >> /etc/telemetry-client/config
Both are always obeyed.}
}

# Runs one command and returns its exit code.
proc ::telemetry::commands::run {parsed} {
    set client [::telemetry::client::open [dict create root [::telemetry::arguments::value $parsed --root /] \
        state_dir [::telemetry::arguments::value $parsed --state-dir] url [::telemetry::arguments::value $parsed --url] \
        config [::telemetry::arguments::value $parsed --config]]]
    return [[string totitle [dict get $parsed command]] $client $parsed]
}

proc ::telemetry::commands::Show {client parsed} {
    variable key_ms
    set given [WithKeyOfInput $parsed [Given $client $parsed] [::telemetry::waiting::deadline $key_ms]]
    set report [::telemetry::client::compose $client $given]
    set decision [::telemetry::client::decision $client [dict get $report id]]
    # Opted out, nothing is asked; and what is sealed is as quiet.
    if {[dict get $decision is_on] && ![::telemetry::client::is_sealed $client]} {
        set report [::telemetry::client::complete $client $given]
    }
    set told [::telemetry::presentation::describe_report $client $report [dict exists $parsed --reveal-key]]
    ::telemetry::output::print $parsed $told [::telemetry::presentation::report_lines $told]
    return 0
}

proc ::telemetry::commands::Verify {client parsed} {
    set report [::telemetry::client::compose $client \
        [dict create product [::telemetry::arguments::value $parsed --product]]]
    set told [::telemetry::verification::verify $client $report [Deadline $parsed]]
    ::telemetry::output::print $parsed $told [::telemetry::verification::lines $told]
    return [dict get {same 0 differs 1 {not compared} 2} [::telemetry::json::text [::telemetry::json::at $told outcome]]]
}

proc ::telemetry::commands::Deadline {parsed} {
    return [::telemetry::waiting::deadline \
        [expr {int(1000 * [scan [::telemetry::arguments::value $parsed --timeout 8] %f])}]]
}

proc ::telemetry::commands::Send {client parsed} {
    set deadline [Deadline $parsed]
    set is_dry_run [dict exists $parsed --dry-run]
    set given [Given $client $parsed]
    # Where nothing is sent nobody is kept waiting for a key.
    if {[::telemetry::client::is_on $client $given $is_dry_run]} {
        set given [WithKeyOfInput $parsed $given $deadline]
    }
    TellLeftOut [::telemetry::client::compose $client $given]
    set result [Attempt $client $parsed $given $deadline $is_dry_run]
    set outcome [dict get $result outcome]
    set also_sent [dict get $result also_sent]
    set lines [list [dict get $result message]]
    if {$also_sent} {
        lappend lines "also accepted: $also_sent from the outbox"
    }
    ::telemetry::output::print $parsed [list object [dict create outcome [list string $outcome] message [list string [lindex $lines 0]] \
        also_sent [list number $also_sent]]] $lines
    if {$outcome eq "unusable"} {
        return 2
    }
    # Only a dry run may fail a build; at a boot a refused report is nobody's trouble but the vendor's.
    return [expr {$is_dry_run && $outcome eq "refused"}]
}

proc ::telemetry::commands::Attempt {client parsed given deadline is_dry_run} {
    set ready [::telemetry::client::prepare $client $given $is_dry_run]
    if {[dict exists $ready outcome]} {
        set result $ready
    } elseif {[dict exists $parsed --background]
            && [::telemetry::background::leave_behind $parsed $ready [::telemetry::waiting::remaining $deadline]]} {
        # The other process remembers what became of it.
        set words "sending in the background; `telemetry-client log` shows what was sent"
        return [dict create outcome "in the background" message $words also_sent 0]
    } else {
        set result [::telemetry::client::deliver $client $ready $deadline $is_dry_run]
    }
    return [::telemetry::client::conclude $client $result $is_dry_run]
}

# Which arguments are left out of the report because of their form; a value is not repeated.
proc ::telemetry::commands::TellLeftOut {report} {
    foreach {name origin} [dict get $report malformed] {
        switch -exact -- $origin {
            "given by the caller" {set argument --[string map {_ -} $name]}
            "standard input" {set argument --license-key-stdin}
            default continue
        }
        ::telemetry::output::complain \
            "$argument is left out: it has not its field's format; see `telemetry-client show`"
    }
}

proc ::telemetry::commands::Status {client parsed} {
    set given [dict create product [::telemetry::arguments::value $parsed --product]]
    set told [::telemetry::presentation::describe_status $client [::telemetry::client::compose $client $given] \
        [::telemetry::arguments::value $parsed --config]]
    ::telemetry::output::print $parsed $told [::telemetry::presentation::status_lines $told]
    return 0
}

proc ::telemetry::commands::Log {client parsed} {
    set state [dict get $client state]
    ::telemetry::output::print $parsed [::telemetry::sent::describe $state] [::telemetry::sent::lines $state]
    return 0
}

proc ::telemetry::commands::On {client parsed} {
    set chosen [::telemetry::choices::switch_on [dict get $client places] [dict get $client now]]
    if {[dict get $chosen failed] ne {}} {
        ::telemetry::output::complain "on could not be stored: [lindex [dict get $chosen failed] 0]"
        return 1
    }
    ::telemetry::output::say "on, stored in [lindex [dict get $chosen stored] 0]"
    foreach path [dict get $chosen lifted] {
        ::telemetry::output::say "an earlier off was lifted: $path"
    }
    set report [::telemetry::client::compose $client {}]
    set decision [::telemetry::client::decision $client [dict get $report id]]
    if {[dict get $decision is_on]} {
        ::telemetry::output::say "`telemetry-client show` shows what is sent, `telemetry-client off` ends it"
    } else {
        ::telemetry::output::say "still nothing is sent: [dict get $decision reason]"
    }
    return 0
}

proc ::telemetry::commands::Off {client parsed} {
    variable not_stored
    set chosen [::telemetry::choices::switch_off [dict get $client places] [dict get $client now]]
    if {[dict get $chosen stored] ne {}} {
        ::telemetry::output::say "off, stored in [join [dict get $chosen stored] { and }]"
    }
    set forgotten [dict get $chosen forgotten]
    if {$forgotten} {
        ::telemetry::output::say "$forgotten waiting report[expr {$forgotten == 1 ? "" : "s"}] deleted"
    }
    if {[dict get $chosen failed] eq {}} {
        return 0
    }
    foreach failure [dict get $chosen failed] {
        ::telemetry::output::complain "off could not be stored: $failure"
    }
    if {[dict get $chosen reaches_all]} {
        ::telemetry::output::complain "It holds all the same, because every sender reads the place where it is stored."
        return 1
    }
    if {[dict get $chosen stored] ne {}} {
        ::telemetry::output::complain "What uses another state directory does not know of it."
    }
    ::telemetry::output::complain $not_stored
    return 1
}

proc ::telemetry::commands::Seal {client parsed} {
    set boot [dict get $client boot]
    set done [::telemetry::sealing::seal [dict get $client places] $boot]
    if {[dict get $done sealed] ne {}} {
        ::telemetry::output::say "sealed, stored in [join [dict get $done sealed] { and }]; nothing is sent before the next boot"
    } elseif {$boot eq {}} {
        ::telemetry::output::say "emptied; no boot is known here, so nothing holds reports back until the image is taken"
    }
    foreach path [dict get $done offs] {
        ::telemetry::output::say "an off stays: $path"
    }
    foreach path [dict get $done failed] {
        ::telemetry::output::complain "could not be removed or written: $path"
    }
    return [expr {[dict get $done failed] ne {}}]
}

# The facts of the command line, and the licence key of the environment.
proc ::telemetry::commands::Given {client parsed} {
    set given [dict create]
    foreach name {product product_version source os_version instance_type language} {
        dict set given $name [::telemetry::arguments::value $parsed --[string map {_ -} $name]]
    }
    dict set given license_key [::telemetry::machine::variable_of [dict get $client machine] TELEMETRY_LICENSE_KEY]
    dict set given license_key_origin "environment TELEMETRY_LICENSE_KEY"
    return $given
}

# The same with the licence key of standard input, where that was asked for.
proc ::telemetry::commands::WithKeyOfInput {parsed given deadline} {
    if {[dict exists $parsed --license-key-stdin]} {
        dict set given license_key [::telemetry::text::stripped [::telemetry::key_input::read $deadline]]
        dict set given license_key_origin "standard input"
    }
    return $given
}
