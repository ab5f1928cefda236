# What the last `send` said whose decision was on: for the person who asks why nothing arrives.
#
#     last-send    at = SECONDS, outcome = WORD, message = TEXT    0600

namespace eval ::telemetry::last_send {
    variable file last-send
    variable last_second 253402300799
}

proc ::telemetry::last_send::remember {state at result} {
    variable file
    set text "at = $at\n"
    foreach name {outcome message} {
        append text "$name = [::telemetry::assignments::quoted [dict get $result $name]]\n"
    }
    ::telemetry::state::try_write $state $file $text 0600
}

# at, outcome and message; empty where nothing is known.
proc ::telemetry::last_send::read {state} {
    variable file
    variable last_second
    set values [::telemetry::state::values $state $file]
    set at [::telemetry::text::whole_number [::telemetry::assignments::value $values at]]
    set outcome [::telemetry::assignments::value $values outcome]
    if {$at == 0 || $at > $last_second || $outcome eq {}} {
        return {}
    }
    return [dict create at $at outcome $outcome message [::telemetry::assignments::value $values message]]
}
