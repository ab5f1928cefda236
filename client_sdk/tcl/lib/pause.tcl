# Leaving a collector alone that is in trouble: as long as it asks for, else longer after each failure.
#
#     not-before    url = ..., not_before = SECONDS, failures = N (in a row)    0600
#
# Without a Retry-After the time is random between 0 and a bound that doubles (full jitter): a fleet that failed together
# does not come back together.

namespace eval ::telemetry::pause {
    variable most_seconds 86400
    variable first_bound 60
    variable last_bound 21600
    variable file not-before
}

# How long the collector at `url` still is to be left alone; 0 when it may be asked.
proc ::telemetry::pause::seconds_to_wait {state url now} {
    variable most_seconds
    variable file
    set values [::telemetry::state::values $state $file]
    if {[::telemetry::assignments::value $values url] ne $url} {
        return 0
    }
    set left [expr {[::telemetry::text::whole_number [::telemetry::assignments::value $values not_before]] - $now}]
    # Longer than the cap means that the clock was set back since.
    return [expr {0 < $left && $left <= $most_seconds ? $left : 0}]
}

# Remembers one more failure of the collector at `url`. retry_after: seconds, or empty.
proc ::telemetry::pause::begin {state url retry_after now} {
    variable most_seconds
    variable file
    set values [::telemetry::state::values $state $file]
    set failures 1
    if {[::telemetry::assignments::value $values url] eq $url} {
        incr failures [::telemetry::text::whole_number [::telemetry::assignments::value $values failures]]
    }
    set failures [expr {min($failures, 1000000000)}]
    set seconds $retry_after
    if {$seconds eq {}} {
        set seconds [expr {[::telemetry::random::chance] * [bound $failures]}]
    }
    set until [expr {int($now + min($seconds, $most_seconds))}]
    set text "url = [::telemetry::assignments::quoted $url]\nnot_before = $until\nfailures = $failures\n"
    ::telemetry::state::try_write $state $file $text 0600
}

# The longest pause after this many failures in a row.
proc ::telemetry::pause::bound {failures} {
    variable first_bound
    variable last_bound
    return [expr {min($last_bound, $first_bound << min($failures - 1, 12))}]
}

# The collector answered: nothing is held against it any more.
proc ::telemetry::pause::end {state} {
    variable file
    ::telemetry::state::remove $state $file
}
