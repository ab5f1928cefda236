# The addresses of a name, in bounded time.
#
# Tcl resolves names in its caller's thread, and a resolver that does not answer holds that thread for many seconds. So
# the system's own program is asked, as a process of its own: `getent` (Linux, BSD), `dscacheutil` (macOS), `nslookup`
# (Windows). Where it is not there, or takes too long, the name is not resolved. Addresses and localhost need nobody.

namespace eval ::telemetry::lookup {}

# The addresses of `host`; none where it has none or is no name.
proc ::telemetry::lookup::addresses {host deadline} {
    global tcl_platform
    if {[::telemetry::address::parse $host] ne {}} {
        return [list $host]
    }
    if {$host eq "localhost"} {
        return {127.0.0.1 ::1}
    }
    # What is no name is not asked for, and cannot be taken for an option.
    if {![regexp {^[0-9A-Za-z_][0-9A-Za-z._-]{0,252}$} $host]} {
        return {}
    }
    if {$tcl_platform(platform) eq "windows"} {
        return [in_nslookup [::telemetry::programs::run_until [list nslookup $host.] $deadline]]
    }
    if {$tcl_platform(os) eq "Darwin"} {
        return [in_dscacheutil [::telemetry::programs::run_until [list dscacheutil -q host -a name $host] $deadline]]
    }
    set command [list getent ahosts $host]
    if {[::telemetry::programs::find timeout] ne {}} {
        # So that nothing is left behind that still asks.
        set left [::telemetry::waiting::remaining $deadline]
        set command [list timeout -s KILL [expr {$left / 1000 + 1}] {*}$command]
    }
    return [in_getent [::telemetry::programs::run_until $command $deadline]]
}

# `93.184.216.34   STREAM example.com`, three lines for each address.
proc ::telemetry::lookup::in_getent {printed} {
    return [Addresses [lmap line [split $printed \n] {lindex [regexp -inline {^\S+} $line] 0}]]
}

# `ip_address: 93.184.216.34` and `ipv6_address: 2606:2800:...`, a line each.
proc ::telemetry::lookup::in_dscacheutil {printed} {
    set found {}
    foreach {_ address} [regexp -all -inline -line {^ip(?:v6)?_address:\s+(\S+)} $printed] {
        lappend found $address
    }
    return [Addresses $found]
}

# In whatever language: first the server that was asked, then, after a blank line, the name and its addresses.
proc ::telemetry::lookup::in_nslookup {printed} {
    set printed [string map {\r {}} $printed]
    set answer [string first \n\n $printed]
    if {$answer < 0} {
        return {}
    }
    return [Addresses [regexp -all -inline {\S+} [string range $printed $answer end]]]
}

# Those of `words` that are addresses, each once.
proc ::telemetry::lookup::Addresses {words} {
    set found {}
    foreach word $words {
        if {$word ni $found && [::telemetry::address::parse $word] ne {}} {
            lappend found $word
        }
    }
    return $found
}
