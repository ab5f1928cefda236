# The client as a whole: this machine, its settings, its memory; ready to show, send or choose.
#
# Invariant: `send` makes no connection, and resolves no name, unless the decision is on. A client is a dictionary:
#
#     machine configuration
#     options       what it was opened with, to read the configuration again
#     state         the state directory; empty where there is none
#     places        see choices.tcl
#     boot          empty where none is known
#     now           seconds since 1970
#     answer        a person's answer to the product's own question: 0, 1, or empty where nobody asked
#     is_told       whether the notice was given already, also where that could not be remembered

namespace eval ::telemetry::client {
    variable metadata_ms 2000
    variable usual {root / state_dir {} url {} config {} answer {} is_told 0}
    variable busy_words "not sent: another sender is at work here"
}

# The client as a command line or a call states it; what is empty is found as the README says.
proc ::telemetry::client::open {options} {
    variable usual
    set options [dict merge $usual $options]
    set machine [::telemetry::machine::here [dict get $options root]]
    set state [::telemetry::state::directory $machine [dict get $options state_dir]]
    return [Configured [dict create machine $machine options $options state $state \
        places [::telemetry::choices::places $machine $state] boot [::telemetry::system::boot $machine] \
        now [clock seconds] answer [dict get $options answer] is_told [dict get $options is_told]]]
}

# The client with its configuration as the files are now.
proc ::telemetry::client::Configured {client} {
    set options [dict get $client options]
    return [dict replace $client configuration [::telemetry::configuration::read [dict get $client machine] \
        [dict get $options url] [dict get $options config]]]
}

# The report that would be sent now, with an id of its own; nothing is asked of any network.
proc ::telemetry::client::compose {client given} {
    return [::telemetry::report::compose [::telemetry::facts::collect [dict get $client machine] $given]]
}

# The same with what the cloud's metadata service tells; for where the decision is on.
proc ::telemetry::client::complete {client given {most_ms 2000}} {
    set facts [::telemetry::facts::collect [dict get $client machine] $given]
    set report [::telemetry::report::compose $facts]
    if {[MayAsk $client $report $facts]} {
        set size [::telemetry::metadata::ask [dict get $client machine] $most_ms]
        if {$size ne {}} {
            dict set facts instance_type $size
            return [::telemetry::report::compose $facts]
        }
    }
    return $report
}

proc ::telemetry::client::MayAsk {client report facts} {
    set fields [::telemetry::permit::fields [dict get $report id]]
    # What is mounted somewhere is not the machine whose service would answer.
    return [expr {
        [dict exists $fields instance_type] && "cloud" in [dict get $fields instance_type sources]
        && [lindex [dict get $facts source] 0] eq "cloud" && ![dict exists $facts instance_type]
        && [dict get $client machine host] eq {} && ![::telemetry::limits::boot_is_reported $client]
    }]
}

# Where reports go, or problem.
proc ::telemetry::client::endpoint {client} {
    set url [dict get $client configuration url]
    if {$url eq {}} {
        return [dict create problem "no collector is known: use --url, TELEMETRY_URL or a configuration file"]
    }
    set endpoint [::telemetry::endpoint::parse [lindex $url 0]]
    if {[dict exists $endpoint problem]} {
        set why "the collector's address ([lindex $url 1]) is not usable: [dict get $endpoint problem]"
        return [dict create problem $why]
    }
    return $endpoint
}

# The proxy on the way there; empty where the way is direct.
proc ::telemetry::client::proxy {client endpoint} {
    set host [::telemetry::value::member $endpoint host]
    return [::telemetry::proxy::find [dict get $client configuration] [dict get $client machine] $host]
}

# Whether this report may be sent, and why.
proc ::telemetry::client::decision {client report_id {is_dry_run 0}} {
    return [::telemetry::consent::decide [dict create configuration [dict get $client configuration] \
        machine [dict get $client machine] choices [::telemetry::choices::stored [dict get $client places]] \
        answer [dict get $client answer] counts_nothing $is_dry_run \
        default_counts [expr {$report_id ne $::telemetry::permit::installbuilder_run}]]]
}

proc ::telemetry::client::is_sealed {client} {
    return [::telemetry::sealing::is_sealed [dict get $client places] [dict get $client boot]]
}

# What keeps this report from being made and sent now, in words; empty where nothing does.
proc ::telemetry::client::obstacle {client report} {
    set found [FirstObstacle $client $report [decision $client [dict get $report id]]]
    if {$found ne {}} {
        return [lindex $found 1]
    }
    if {[::telemetry::state::is_stopped [dict get $client state]]} {
        return $::telemetry::delivery::stopped_words
    }
    return [::telemetry::limits::reached $client [dict get $report id]]
}

# What keeps a report from having a way, in the order in which it counts: OUTCOME WHY ADVICE, the last for who did not look
# at the report so far.
proc ::telemetry::client::FirstObstacle {client report decision} {
    if {![dict get $decision is_on]} {
        return [list "opted out" [dict get $decision reason]]
    }
    if {[is_sealed $client]} {
        return [list sealed $::telemetry::sealing::words]
    }
    set endpoint [endpoint $client]
    foreach part [list $endpoint [proxy $client $endpoint]] {
        if {[dict exists $part problem]} {
            return [list unusable [dict get $part problem]]
        }
    }
    if {[dict get $report missing] ne {}} {
        set names [join [dict get $report missing] ", "]
        return [list unusable "unknown or not in its format: $names" "; see `telemetry-client show`"]
    }
}

# Decides, and gives the notice where one is due. What is ready has a way and all its needed facts: given report is_told
# consented_at; else a result, with is_on: what was decided.
proc ::telemetry::client::prepare {client given {is_dry_run 0}} {
    set report [compose $client $given]
    set refusal [Refusal $client $report $is_dry_run]
    if {$refusal ne {}} {
        return $refusal
    }
    set decision [decision $client [dict get $report id] $is_dry_run]
    set consented_at 0
    if {[dict get $decision rule] eq "stored"} {
        set consented_at [dict get [::telemetry::state::choice [dict get $client state]] chosen_at]
    }
    return [dict create given $given report $report is_told [dict get $decision needs_notice] consented_at $consented_at]
}

# Whether the decision is on: what is asked of the caller before that may be in vain.
proc ::telemetry::client::is_on {client given is_dry_run} {
    return [dict get [decision $client [dict get [compose $client $given] id] $is_dry_run] is_on]
}

# The result for what may not leave now; empty where it may. Opted out, nothing is left that waits; and where the notice
# is due it is given.
proc ::telemetry::client::Refusal {client report is_dry_run} {
    set decision [decision $client [dict get $report id] $is_dry_run]
    set is_on [dict get $decision is_on]
    if {!$is_on && !$is_dry_run} {
        ::telemetry::outbox::clear [::telemetry::state::path [dict get $client state] outbox]
    }
    lassign [FirstObstacle $client $report $decision] outcome why advice
    if {$outcome ne {}} {
        set before [expr {$outcome eq "unusable" ? "" : "nothing was sent: "}]
        return [dict create outcome $outcome message $before$why$advice also_sent 0 is_on $is_on]
    }
    if {[dict get $decision needs_notice] && ![::telemetry::notice::give $client $is_dry_run]} {
        set why "nothing was sent: the notice that comes first could not be shown"
        return [dict create outcome "opted out" message $why also_sent 0 is_on $is_on]
    }
}

# The same, asked once more with everything read again.
proc ::telemetry::client::RefusalNow {client report is_dry_run} {
    return [Refusal [Configured $client] $report $is_dry_run]
}

# Sends what is ready, then what waits.
proc ::telemetry::client::deliver {client ready deadline {is_dry_run 0}} {
    variable busy_words
    set report [dict get $ready report]
    set state [dict get $client state]
    dict set client is_told [expr {[dict get $client is_told] || [dict get $ready is_told]}]
    if {!$is_dry_run} {
        # What is locked has to be there.
        ::telemetry::state::try_make $state
    }
    set lock [::telemetry::lock::take $state [expr {[::telemetry::waiting::remaining $deadline] / 2}]]
    if {$lock eq "busy"} {
        return [dict create outcome busy message $busy_words also_sent 0]
    }
    try {
        set endpoint [endpoint $client]
        set delivery [dict merge $client [dict create endpoint $endpoint proxy [proxy $client $endpoint] \
            deadline $deadline consented_at [dict get $ready consented_at] \
            make [list ::telemetry::client::Completed $client [dict get $ready given] $deadline] \
            refusal [list ::telemetry::client::RefusalNow $client $report $is_dry_run]]]
        if {$is_dry_run} {
            return [::telemetry::delivery::try_out $delivery]
        }
        return [::telemetry::delivery::send $delivery [dict get $report id]]
    } finally {
        ::telemetry::lock::release $lock
    }
}

proc ::telemetry::client::Completed {client given deadline} {
    variable metadata_ms
    return [complete $client $given [expr {min($metadata_ms, [::telemetry::waiting::remaining $deadline])}]]
}

# The result as the caller is told it. Where the decision was on, `status` tells it too; a sealed image stays as it is.
proc ::telemetry::client::conclude {client result {is_dry_run 0}} {
    set is_sealed [expr {[dict get $result outcome] eq "sealed"}]
    if {!$is_dry_run && !$is_sealed && [::telemetry::value::member $result is_on 1]} {
        ::telemetry::last_send::remember [dict get $client state] [dict get $client now] $result
    }
    return [dict remove $result is_on]
}

# Sends one report where that is allowed, and says what became of it.
proc ::telemetry::client::send {client given deadline} {
    set result [prepare $client $given]
    if {![dict exists $result outcome]} {
        set result [deliver $client $result $deadline]
    }
    return [conclude $client $result]
}
