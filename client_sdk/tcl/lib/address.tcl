# IP addresses, without asking anybody: told from names, compared whatever their spelling.

namespace eval ::telemetry::address {}

# The address as its bytes' numbers (4 or 16 of them); empty where `text` is none.
proc ::telemetry::address::parse {text} {
    if {[string first : $text] < 0} {
        return [Version4 $text]
    }
    if {![regexp {^[0-9A-Fa-f:.]+$} $text] || [regsub -all :: $text :: _] > 1 || [string first ::: $text] >= 0} {
        return {}
    }
    set halves [split [string map {:: /} $text] /]
    set bytes {}
    foreach half $halves {
        set found [Groups $half]
        if {$half ne {} && $found eq {}} {
            return {}
        }
        lappend bytes $found
    }
    lassign $bytes before after
    set missing [expr {16 - [llength $before] - [llength $after]}]
    if {[llength $halves] == 1 ? $missing != 0 : $missing < 2} {
        return {}
    }
    return [concat $before [lrepeat [expr {max($missing, 0)}] 0] $after]
}

proc ::telemetry::address::Version4 {text} {
    set parts [split $text .]
    if {[llength $parts] != 4} {
        return {}
    }
    foreach part $parts {
        if {![regexp {^(?:0|[1-9][0-9]{0,2})$} $part] || $part > 255} {
            return {}
        }
    }
    return $parts
}

# The bytes of `2001:db8:0` or `0:ffff:192.0.2.1`; empty where that is none.
proc ::telemetry::address::Groups {text} {
    set bytes {}
    set groups [split $text :]
    foreach group $groups {
        if {$group eq [lindex $groups end] && [string first . $group] >= 0} {
            set last [Version4 $group]
            if {$last eq {}} {
                return {}
            }
            lappend bytes {*}$last
            return $bytes
        }
        if {![regexp {^[0-9A-Fa-f]{1,4}$} $group]} {
            return {}
        }
        scan $group %x number
        lappend bytes [expr {$number >> 8}] [expr {$number & 255}]
    }
    return $bytes
}

# Whether `host` is this very machine: localhost, 127.0.0.0/8 or ::1.
proc ::telemetry::address::is_loopback {host} {
    if {[::telemetry::text::lowered $host] eq "localhost"} {
        return 1
    }
    set bytes [parse $host]
    return [expr {
        ([llength $bytes] == 4 && [lindex $bytes 0] == 127) || $bytes eq {0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1}
    }]
}

# `host` with brackets where a colon in it would be taken for the port's.
proc ::telemetry::address::bracketed {host} {
    return [::telemetry::value::either [expr {[string first : $host] >= 0}] "\[$host\]" $host]
}
