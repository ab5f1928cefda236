# From a report to its fate: outbox, post, what the answer means, and what else waits.
#
# The contract with the collector: 202 = it is on disk, forget it; 400, 404, 405, 413, 415, 422 = it will never be taken,
# drop it; 410 = this version of the client stops; anything else = keep it, and come back after Retry-After, or after a
# pause that grows. The report is in the outbox before it is posted: a machine that is switched off in the middle loses
# nothing, and sends the same report_id again.
#
# There was time to say no meanwhile (a lock, a metadata service, an earlier post), so right before anything leaves, or
# goes into the outbox, it is asked for once more whether it may.
#
# A delivery is a client (see client.tcl) with endpoint, proxy, deadline, consented_at (nothing made before that moment is
# sent), and two command prefixes: make makes the report; refusal gives the result for what may not leave any more, else
# nothing. A result is: outcome message also_sent.

namespace eval ::telemetry::delivery {
    variable drop {400 404 405 413 415 422}
    # Less than this is not worth another connection.
    variable worth_ms 500
    variable stopped_words "the collector told this version of the client to stop"
}

proc ::telemetry::delivery::Result {outcome message {also_sent 0}} {
    return [dict create outcome $outcome message $message also_sent $also_sent]
}

# Makes a report of this kind where neither a stop nor a limit forbids it, delivers it, then what waits.
proc ::telemetry::delivery::send {delivery report_id} {
    variable stopped_words
    if {[::telemetry::state::is_stopped [dict get $delivery state]]} {
        return [Result stopped $stopped_words]
    }
    set limit [::telemetry::limits::reached $delivery $report_id]
    if {$limit ne {}} {
        return [SendOld $delivery [Result "already reported" "not sent: $limit"]]
    }
    set report [{*}[dict get $delivery make]]
    set refusal [{*}[dict get $delivery refusal]]
    if {$refusal ne {}} {
        return $refusal
    }
    return [SendNew $delivery $report]
}

# What waits alone, where no report is made.
proc ::telemetry::delivery::SendOld {delivery result} {
    if {[Wait $delivery]} {
        return $result
    }
    lassign [SendWaiting $delivery] also_sent refusal
    if {$also_sent == 0 && $refusal ne {}} {
        # As if it had been no from the start.
        return $refusal
    }
    return [dict replace $result also_sent $also_sent]
}

# A dry run: the collector validates and stores nothing; only the log remembers it here.
proc ::telemetry::delivery::try_out {delivery} {
    variable drop
    set report [{*}[dict get $delivery make]]
    set refusal [{*}[dict get $delivery refusal]]
    if {$refusal ne {}} {
        return $refusal
    }
    set answer [Post $delivery [dict get $report id] [dict get $report path]?dry_run=1 [dict get $report body]]
    set status [dict get $answer status]
    if {$status == 200} {
        ::telemetry::pause::end [dict get $delivery state]
        return [Result valid "valid: the collector would accept this report; nothing was stored"]
    }
    if {$status in $drop} {
        return [Result refused "it would be refused: [Told $answer]"]
    }
    return [Result lost "not tried out: [Told $answer]"]
}

proc ::telemetry::delivery::SendNew {delivery report} {
    variable drop
    dict with delivery {}
    set outbox [::telemetry::state::path $state outbox]
    set id [dict get $report id]
    set name {}
    if {![dict get $report carries_key]} {
        set name [::telemetry::outbox::put $outbox $report [dict get $endpoint url] $now]
    }
    # Before it is posted: a machine that is switched off in between would count it twice.
    ::telemetry::limits::remember $delivery $id
    set pause [Wait $delivery]
    if {$pause} {
        return [Kept $report $name "the collector is left alone for another $pause s"]
    }
    set answer [Post $delivery $id [dict get $report path] [dict get $report body]]
    set status [dict get $answer status]
    if {$status == 410} {
        return [Stop $state]
    }
    if {$status != 202 && $status ni $drop} {
        ::telemetry::pause::begin $state [dict get $endpoint url] [dict get $answer retry_after] $now
        return [Kept $report $name [Told $answer]]
    }
    ::telemetry::outbox::remove $outbox $name
    lassign [SendWaiting $delivery] also_sent
    if {$status == 202} {
        return [Result accepted "accepted: the report is on the collector's disk" $also_sent]
    }
    return [Result refused "refused and dropped: [Told $answer]" $also_sent]
}

# Sends what waits, oldest first: {how many were accepted, the refusal of what may not leave any more}. Stops at the first
# that is not settled. Each is read right before it goes: what was deleted meanwhile must not leave.
proc ::telemetry::delivery::SendWaiting {delivery} {
    variable drop
    variable worth_ms
    dict with delivery {}
    set outbox [::telemetry::state::path $state outbox]
    set url [dict get $endpoint url]
    set accepted 0
    ::telemetry::outbox::tidy $outbox $now
    foreach name [::telemetry::outbox::names $outbox] {
        if {[::telemetry::waiting::remaining $deadline] < $worth_ms} {
            break
        }
        set no [{*}$refusal]
        if {$no ne {}} {
            return [list $accepted $no]
        }
        set entry [::telemetry::outbox::entry $outbox $name $consented_at]
        if {[::telemetry::value::member $entry url] ne $url} {
            continue
        }
        set answer [Post $delivery [dict get $entry report] [dict get $entry path] [dict get $entry body]]
        set status [dict get $answer status]
        if {$status == 202 || $status in $drop} {
            ::telemetry::outbox::remove $outbox $name
            incr accepted [expr {$status == 202}]
            continue
        }
        if {$status == 410} {
            Stop $state
        } else {
            ::telemetry::pause::begin $state $url [dict get $answer retry_after] $now
        }
        break
    }
    return [list $accepted {}]
}

proc ::telemetry::delivery::Post {delivery report_id path body} {
    variable drop
    dict with delivery {}
    set answer [::telemetry::transport::post $endpoint $path $body $deadline $proxy]
    set status [dict get $answer status]
    if {[dict get $answer was_handed]} {
        ::telemetry::sent::remember $state $now $report_id [dict get $endpoint url] $status $body
    }
    if {$status == 202 || $status in $drop} {
        ::telemetry::pause::end $state
    }
    return $answer
}

proc ::telemetry::delivery::Stop {state} {
    variable stopped_words
    set is_remembered [::telemetry::state::try_write $state stopped "version = $::telemetry::client_version\n" 0644]
    ::telemetry::outbox::clear [::telemetry::state::path $state outbox]
    return [Result stopped $stopped_words[expr {$is_remembered ? "" : ", but that could not be remembered"}]]
}

# Seconds for which the collector still is to be left alone.
proc ::telemetry::delivery::Wait {delivery} {
    return [::telemetry::pause::seconds_to_wait [dict get $delivery state] [dict get $delivery endpoint url] \
        [dict get $delivery now]]
}

proc ::telemetry::delivery::Kept {report name why} {
    if {$name ne {}} {
        return [Result waiting "not sent ($why); it waits in the outbox"]
    }
    if {[dict get $report carries_key]} {
        return [Result lost "not sent ($why); a report with a licence key is tried once and never kept"]
    }
    return [Result lost "not sent ($why), and the outbox cannot be written"]
}

# The answer in codes: `HTTP 422, unknown_product, product`.
proc ::telemetry::delivery::Told {answer} {
    if {[dict get $answer trouble] ne {}} {
        return [dict get $answer trouble]
    }
    set parts [list "HTTP [dict get $answer status]"]
    foreach name {outcome field} {
        if {[dict get $answer $name] ne {}} {
            lappend parts [dict get $answer $name]
        }
    }
    return [join $parts ", "]
}
