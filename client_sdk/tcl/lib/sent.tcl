# What was handed to a connection: the last ten bodies, for the person whose machine it is.
#
#     sent    {"at":SECONDS,"report":"image-boot/1","url":"https://...","status":202,"body":"{...}"}    0600
#
# One line each, oldest first; status 0 where no answer came. A licence key is asterisks in it. Lines of any other form
# are skipped.

namespace eval ::telemetry::sent {
    variable file sent
    variable most_lines 10
    variable last_second 253402300799
}

# Appends to the log and lets the oldest go.
proc ::telemetry::sent::remember {state at report url status body} {
    variable file
    variable most_lines
    set entry [dict create at $at report $report url $url status $status body [::telemetry::report::mask $body]]
    set latest [lrange [concat [read $state] [list $entry]] end-[expr {$most_lines - 1}] end]
    set text {}
    foreach each $latest {
        append text [Line $each] \n
    }
    ::telemetry::state::try_write $state $file $text 0600
}

# The log, oldest first: dictionaries of at, report, url, status and body.
proc ::telemetry::sent::read {state} {
    variable file
    set found {}
    set text [lindex [::telemetry::files::read_own_text [::telemetry::state::path $state $file]] 1]
    foreach line [split $text \n] {
        set entry [Parsed $line]
        if {$entry ne {}} {
            lappend found $entry
        }
    }
    return $found
}

# What `log` tells.
proc ::telemetry::sent::describe {state} {
    set entries [lmap each [read $state] {
        list object [dict create at [list string [::telemetry::day::moment [dict get $each at]]] \
            report [list string [dict get $each report]] url [list string [dict get $each url]] \
            status [list number [dict get $each status]] body [list string [dict get $each body]]]
    }]
    return [list object [dict create sent [list list $entries]]]
}

# The same for people.
proc ::telemetry::sent::lines {state} {
    set lines {}
    foreach each [read $state] {
        set moment [::telemetry::day::moment [dict get $each at] " "]
        lappend lines "$moment  [dict get $each report]  [dict get $each status]  [dict get $each url]" [dict get $each body]
    }
    return [::telemetry::value::first $lines [list "nothing was sent from here so far"]]
}

proc ::telemetry::sent::Line {entry} {
    return [::telemetry::json::compact [list object [dict create at [list number [dict get $entry at]] \
        report [list string [dict get $entry report]] url [list string [dict get $entry url]] \
        status [list number [dict get $entry status]] body [list string [dict get $entry body]]]]]
}

proc ::telemetry::sent::Parsed {line} {
    variable last_second
    set number {(0|[1-9][0-9]{0,11})}
    set form "^\\{\"at\":$number,\"report\":\"\[a-z0-9-\]{1,64}/\[0-9\]{1,4}\",\"url\":.*,\"status\":(0|\[1-9\]\[0-9\]{0,2}),\"body\":.*\\}$"
    if {![regexp $form $line -> at] || $at > $last_second || [catch {::telemetry::json::parse $line} value]} {
        return {}
    }
    set entry [dict map {_ member} [lindex $value 1] {lindex $member 1}]
    if {[dict keys $entry] ne {at report url status body} || [Line $entry] ne $line} {
        return {}
    }
    # What cannot move a terminal's cursor.
    return [::telemetry::value::either [regexp {^[ -~]*$} [dict get $entry url][dict get $entry body]] $entry {}]
}
