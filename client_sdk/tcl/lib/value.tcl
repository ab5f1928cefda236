# Choosing between values. `expr` must not do that: it takes a text that looks like a number for one, so that 0x10 would
# become 16 and 00 become 0. Through `expr` go numbers, truths and this package's own words, and nothing that is read.

namespace eval ::telemetry::value {}

# The member `name` of a dictionary; where it is not there, `otherwise`.
proc ::telemetry::value::member {dictionary name {otherwise {}}} {
    if {[dict exists $dictionary $name]} {
        return [dict get $dictionary $name]
    }
    return $otherwise
}

# `one` where it is not empty, else `other`.
proc ::telemetry::value::first {one other} {
    if {$one ne {}} {
        return $one
    }
    return $other
}

# `one` where `is_so`, else `other`.
proc ::telemetry::value::either {is_so one other} {
    if {$is_so} {
        return $one
    }
    return $other
}
