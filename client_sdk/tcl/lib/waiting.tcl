# Waiting without the caller's events, and time limits for everything that is done for a report.
#
# Every wait here is a short sleep between two looks. Outside a coroutine of this package it is `after MS`, which
# processes no event at all; inside one it gives the event loop its turn. So one and the same code serves a caller that
# waits and one that is called back.
#
# A deadline is a name that stands for a moment. The clock may be set while one waits: what was slept counts as well, so
# a clock that is set back does not prolong it.

namespace eval ::telemetry::waiting {
    variable slept 0
    variable most_sleep 20
}

# The moment that is so many milliseconds away: {clock slept}.
proc ::telemetry::waiting::deadline {milliseconds} {
    variable slept
    return [list [expr {[clock milliseconds] + $milliseconds}] [expr {$slept + $milliseconds}]]
}

# The earlier of a deadline and one that is so many milliseconds away.
proc ::telemetry::waiting::at_most {deadline milliseconds} {
    lassign [deadline $milliseconds] clock slept
    return [list [expr {min($clock, [lindex $deadline 0])}] [expr {min($slept, [lindex $deadline 1])}]]
}

# Milliseconds left; 0 when it has passed.
proc ::telemetry::waiting::remaining {deadline} {
    variable slept
    lassign $deadline clock most_slept
    return [expr {max(0, min($clock - [clock milliseconds], $most_slept - $slept))}]
}

# Waits for a moment, longer the more often it was called for the same thing; 0 when the deadline has passed.
proc ::telemetry::waiting::pause {deadline turnsName} {
    variable slept
    variable most_sleep
    upvar 1 $turnsName turns
    set left [remaining $deadline]
    if {$left <= 0} {
        return 0
    }
    incr turns
    set sleep [expr {min($left, $most_sleep, 1 + $turns / 4)}]
    set coroutine [info coroutine]
    if {[string match ::telemetry::attempt* $coroutine]} {
        after $sleep [list $coroutine]
        yield
    } else {
        after $sleep
        # Several coroutines may sleep at once, and then it would count twice.
        incr slept $sleep
    }
    return 1
}
