# What the collector's policy permits now, compared with what this client was built with.
#
# A person asks for it, so it connects also where telemetry is off. Nothing of this machine is in the question: it is a
# GET without a body, and the same from everywhere. The answer is lines of text: a first one that names the form, one of
# `SUBJECT WHAT: VALUE` for each thing, a last one `end`. It counts only as a whole and only in that form; of any other
# answer not a character is printed.

namespace eval ::telemetry::verification {
    variable path /v1/permits.txt
    variable form "product-telemetry-permits 1"
    variable most_lines 500
    variable most_of_a_line 500
    variable line {^(policy (?:id|title|dated|contact|url)|[a-z][a-z0-9-]*/[0-9]+ [a-z][a-z0-9_]* (?:sources|clause|purpose)): ([!-~][ -~]*)$}
}

# Asks and compares: everything that `verify` tells.
proc ::telemetry::verification::verify {client report deadline} {
    variable path
    set endpoint [::telemetry::client::endpoint $client]
    set proxy [::telemetry::client::proxy $client $endpoint]
    set why [::telemetry::value::first [::telemetry::value::member $endpoint problem] \
        [::telemetry::value::member $proxy problem]]
    set theirs {}
    if {$why eq {}} {
        set answer [::telemetry::transport::get $endpoint $path $deadline $proxy]
        set why [dict get $answer trouble]
        if {$why eq {} && [dict get $answer status] != 200} {
            set why "HTTP [dict get $answer status]"
        }
        if {$why eq {}} {
            set theirs [ReadList [dict get $answer content]]
        }
    }
    set changes {}
    if {$why eq {} && ![Compare [OwnList] $theirs changes]} {
        set why "the answer is not a list of permits"
    }
    return [Told $endpoint $proxy $report $why $changes $theirs]
}

proc ::telemetry::verification::Told {endpoint proxy report why changes theirs} {
    variable path
    set id [dict get $report id]
    set source [::telemetry::permit::source_of $id [dict map {_ fact} [dict get $report entries] {lindex $fact 0}]]
    set not_within {}
    dict for {name permit} [::telemetry::permit::fields $id] {
        set now [split [string map {", " ,} [::telemetry::value::member $theirs "$id $name sources"]] ,]
        if {$why eq {} && $source in [dict get $permit sources] && $source ni $now} {
            lappend not_within $name
        }
    }
    set url [::telemetry::value::member $endpoint url]
    if {$url ne {}} {
        append url $path
    }
    set is_within [list word [expr {$why ne {} || $source eq {} ? "null" : $not_within eq {} ? "true" : "false"}]]
    set points {}
    foreach {what here now} $changes {
        lappend points [list object [dict create what [list string $what] \
            here [::telemetry::presentation::TextOrNull $here] now [::telemetry::presentation::TextOrNull $now]]]
    }
    return [list object [dict create \
        url [::telemetry::presentation::TextOrNull $url] \
        proxy [::telemetry::presentation::TextOrNull [::telemetry::proxy::shown $proxy]] \
        policy [::telemetry::presentation::policy] \
        outcome [list string [expr {$why ne {} ? "not compared" : $changes eq {} ? "same" : "differs"}]] \
        why [::telemetry::presentation::TextOrNull $why] \
        changes [list list $points] \
        report [list string $id] source [::telemetry::presentation::TextOrNull $source] \
        is_within $is_within \
        not_within [::telemetry::presentation::Texts $not_within]]]
}

# The permits of this client as the collector writes its own: KEY VALUE ...
proc ::telemetry::verification::OwnList {} {
    set found [dict create]
    foreach name {id title dated contact url} {
        dict set found "policy $name" [::telemetry::permit::policy $name]
    }
    foreach id [dict keys $::telemetry::permits::reports] {
        dict for {name permit} [::telemetry::permit::fields $id] {
            dict set found "$id $name sources" [join [dict get $permit sources] ", "]
            dict set found "$id $name clause" [dict get $permit clause]
            dict set found "$id $name purpose" [dict get $permit purpose]
        }
    }
    return $found
}

# The list that an answer is; empty where it is none, or was cut short.
proc ::telemetry::verification::ReadList {content} {
    variable form
    variable most_lines
    variable most_of_a_line
    variable line
    set lines [split $content \n]
    set is_too_long [expr {[llength $lines] > $most_lines + 1}]
    set lines [lsearch -all -inline -not -exact $lines {}]
    if {$is_too_long || [lindex $lines 0] ne $form || [lindex $lines end] ne "end"} {
        return {}
    }
    set found [dict create]
    foreach written [lrange $lines 1 end-1] {
        if {[string length $written] > $most_of_a_line || ![regexp $line $written -> key value]
                || [dict exists $found $key]} {
            return {}
        }
        dict set found $key $value
    }
    return $found
}

# Whether the two can be compared: not where the collector's list leaves out what every list says. changes: WHAT HERE
# NOW ..., where one of the two is empty if client or collector has no such thing.
proc ::telemetry::verification::Compare {ours theirs changesName} {
    upvar 1 $changesName changes
    set found {}
    dict for {key here} $ours {
        regexp {^(.*) ([a-z]+)$} $key -> subject what
        if {[dict exists $theirs $key]} {
            set now [dict get $theirs $key]
            if {$now ne $here} {
                lappend found $key $here $now
            }
        } elseif {$what eq "sources"} {
            lappend found $subject $here {}
        } elseif {$subject eq "policy" || [dict exists $theirs "$subject sources"]} {
            return 0
        }
    }
    dict for {key now} $theirs {
        if {[regexp {^(.*) sources$} $key -> subject] && ![dict exists $ours $key]} {
            lappend found $subject {} $now
        }
    }
    set changes $found
    return 1
}

# `verify` for people.
proc ::telemetry::verification::lines {told} {
    foreach {name value} [lindex $told 1] {
        set $name [::telemetry::presentation::Told $told $name]
    }
    set count [llength $changes]
    switch -exact -- $outcome {
        same {set found "permits the same as this client was built with"}
        differs {set found "differs from what this client was built with, in $count point[expr {$count == 1 ? "" : "s"}]"}
        default {set found "not compared: $why"}
    }
    set lines [list "Asked          [::telemetry::value::first $url nobody]"]
    if {$proxy ne {}} {
        lappend lines "Through        $proxy"
    }
    lappend lines "Built with     [::telemetry::presentation::policy_line]" "Collector      $found"
    foreach change $changes {
        lappend lines "               [InWords {*}[lmap name {what here now} {
            ::telemetry::presentation::Told $change $name
        }]]"
    }
    if {$is_within ne {}} {
        set within "all that may be sent is permitted by the collector's policy"
        if {!$is_within} {
            set within "no longer permitted: [join [lmap name $not_within {lindex $name 1}] {, }]"
        }
        lappend lines "From here      $report, source $source: $within"
    }
    return $lines
}

proc ::telemetry::verification::InWords {what here now} {
    if {$now eq {}} {
        return "$what: withdrawn"
    }
    if {$here eq {}} {
        return "$what: newly permitted, from $now; this client does not send it"
    }
    return "$what: now \"$now\", here \"$here\""
}
