# One HTTP request on a channel, and its answer.
#
# An answer is: status headers (in small letters) body is_whole. The status line is the answer; one whose explanation is
# cut short is the same answer. No redirect is followed.

namespace eval ::telemetry::http {
    variable most_head 65536
    variable most_code {^[a-z][a-z0-9_]{0,39}$}
}

# The answer to what was sent. most_body: where the body is longer, reading ends. wants_body: a command prefix that says
# of a status whether its body is worth waiting for.
proc ::telemetry::http::answer {channel deadline most_body wants_body} {
    variable most_head
    set received {}
    set turns 0
    set is_ended 0
    while {![Head received $is_ended status headers]} {
        if {$is_ended || [string length $received] > $most_head} {
            ::telemetry::connecting::fail "connection failed (no answer but an end)"
        }
        set is_ended [Receive $channel $deadline received turns]
    }
    set answer [dict create status $status headers $headers body {} is_whole 0]
    if {![{*}$wants_body $status]} {
        return $answer
    }
    # It may drip: the explanation alone is not worth all the time there is.
    set deadline [::telemetry::waiting::at_most $deadline 2000]
    while {![Body $headers $status $received $is_ended body is_whole]} {
        if {[string length $received] > 2 * $most_body
                || [catch {Receive $channel $deadline received turns} is_ended]} {
            break
        }
    }
    if {[string length $body] <= $most_body} {
        dict set answer body $body
        dict set answer is_whole $is_whole
    }
    return $answer
}

# Takes in what has come; whether the other end has closed.
proc ::telemetry::http::Receive {channel deadline receivedName turnsName} {
    upvar 1 $receivedName received $turnsName turns
    # An end without TLS's own farewell is an end.
    if {[catch {read $channel 4096} read]} {
        return 1
    }
    append received $read
    if {$read eq {} && [eof $channel]} {
        return 1
    }
    if {$read eq {}} {
        ::telemetry::connecting::wait $deadline turns
    } else {
        set turns 0
    }
    return 0
}

# Takes status line and headers off what was received; 0 where more has to come.
proc ::telemetry::http::Head {receivedName is_ended statusName headersName} {
    upvar 1 $receivedName received $statusName status $headersName headers
    set line {}
    set is_line [regexp {^([^\n]*)\n} $received -> line]
    set line [string trimright $line \r]
    if {$is_line || $is_ended} {
        if {![regexp {^HTTP/[0-9.]+[ \t]+([1-9][0-9]{2})(?:[ \t].*)?$} $line -> status]} {
            set why [expr {$received eq {} ? "no answer but an end" : "the answer is not HTTP"}]
            return -code error -errorcode {TELEMETRY TROUBLE} "connection failed ($why)"
        }
    }
    if {[regexp -indices {\n\r?\n} $received end]} {
        set head [string range $received 0 [lindex $end 0]]
        set received [string range $received [lindex $end 1]+1 end]
    } elseif {$is_ended} {
        set head $received
        set received {}
    } else {
        return 0
    }
    if {$status == 100} {
        return [Head received $is_ended status headers]
    }
    set headers [dict create]
    foreach written [lrange [split $head \n] 1 end] {
        if {[regexp {^([^:\s]+):(.*)$} $written -> name value]} {
            set name [::telemetry::text::lowered $name]
            if {![dict exists $headers $name]} {
                dict set headers $name [::telemetry::text::stripped $value]
            }
        }
    }
    return 1
}

# The body so far; 0 where more has to come.
proc ::telemetry::http::Body {headers status received is_ended bodyName is_wholeName} {
    upvar 1 $bodyName body $is_wholeName is_whole
    set body $received
    set is_whole $is_ended
    if {$status in {204 304}} {
        set body {}
        return [set is_whole 1]
    }
    if {[dict exists $headers transfer-encoding]} {
        set is_over [Chunks $received body is_whole]
        return [expr {$is_over || $is_ended}]
    }
    if {[dict exists $headers content-length] && [::telemetry::text::is_number [dict get $headers content-length]]} {
        set length [::telemetry::text::whole_number [dict get $headers content-length]]
        set is_whole [expr {[string length $received] >= $length}]
        set body [string range $received 0 [expr {$length - 1}]]
    }
    return [expr {$is_whole || $is_ended}]
}

# The body in chunks; 0 where more has to come.
proc ::telemetry::http::Chunks {received bodyName is_wholeName} {
    upvar 1 $bodyName body $is_wholeName is_whole
    set body {}
    set is_whole 0
    set at 0
    while {[regexp -indices -start $at {\A([^\n]*)\n} $received line size]} {
        if {![regexp {^[ \t]*([0-9A-Fa-f]{1,6})[ \t]*(?:;.*)?\r?$} [string range $received {*}$size] -> hex]} {
            return 1
        }
        scan $hex %x length
        if {$length == 0} {
            return [set is_whole 1]
        }
        set from [expr {[lindex $line 1] + 1}]
        append body [string range $received $from [expr {$from + $length - 1}]]
        set at [expr {$from + $length}]
        regexp -indices -start $at {\A\r?\n} $received line
        if {$at >= [string length $received]} {
            return 0
        }
        set at [expr {[lindex $line 1] + 1}]
    }
    return 0
}

proc ::telemetry::http::header {answer name} {
    return [::telemetry::value::member [dict get $answer headers] $name]
}

# Outcome and field of a collector's explanation. A code is shown on a terminal: nothing else from the network is.
proc ::telemetry::http::codes {body} {
    variable most_code
    if {[catch {::telemetry::json::parse [::telemetry::text::decoded $body]} told]} {
        return {{} {}}
    }
    return [lmap name {outcome field} {
        set code [::telemetry::json::text [::telemetry::json::at $told [list $name]]]
        ::telemetry::value::either [regexp $most_code $code] $code {}
    }]
}

# Seconds to wait, from a number or a date; empty where there is neither.
proc ::telemetry::http::retry_after {text now} {
    if {[::telemetry::text::is_number $text]} {
        return [::telemetry::text::whole_number [string range $text 0 8]]
    }
    set at [::telemetry::day::of_http $text]
    return [expr {$at eq {} ? {} : max(0, $at - $now)}]
}
