# One sender at a time in a state directory, so that two do not send what waits twice.
#
# The lock is the kernel's, on the directory itself, and lets go when its holder ends, however it ends. Tcl has none, so
# the program `flock` holds it for as long as its input is open. It is asked for politely: after a second, or where that
# program is not there, the work is done without it, because a report that is sent twice is counted once.

namespace eval ::telemetry::lock {
    variable most_ms 1000
    variable again_ms 40
}

# What holds the lock of `directory`; empty where nothing does.
proc ::telemetry::lock::take {directory deadline} {
    variable most_ms
    variable again_ms
    if {$directory eq {} || ![file isdirectory $directory] || [::telemetry::programs::find flock] eq {}} {
        return {}
    }
    set deadline [::telemetry::waiting::at_most $deadline $most_ms]
    while {[::telemetry::waiting::remaining $deadline] > 0} {
        set holder [Try $directory $deadline]
        if {$holder ne {}} {
            return $holder
        }
        set turns [expr {4 * $again_ms}]
        ::telemetry::waiting::pause $deadline turns
        ::telemetry::waiting::pause $deadline turns
    }
    return {}
}

# Asks once, without waiting for another holder.
proc ::telemetry::lock::Try {directory deadline} {
    # "/.": flock would make a file of a directory that is gone by now.
    if {[catch {::telemetry::programs::start [list flock -n $directory/. cat] r+} holder]} {
        return {}
    }
    set turns 0
    # What comes back came through `cat`, and that runs only under the lock.
    if {![catch {puts $holder locked; flush $holder}]} {
        while {![catch {read $holder 16} echo] && $echo eq {} && ![eof $holder]} {
            if {![::telemetry::waiting::pause $deadline turns]} {
                break
            }
        }
        if {[info exists echo] && [string match locked* $echo]} {
            return $holder
        }
    }
    release $holder
    return {}
}

proc ::telemetry::lock::release {holder} {
    if {$holder ne {}} {
        catch {close $holder}
    }
}
