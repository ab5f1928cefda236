# One sender at a time in a state directory, so that two do not send what waits twice.
#
#     lock    nothing    0600
#
# The lock is the kernel's, on this file, and lets go when its holder ends, however it ends. Tcl has none, so the program
# `flock` takes it for a descriptor that it inherits; from then on it belongs to what this process has open. The mode keeps
# everybody else from holding it. Where that program is not there, or no such file can be made, the work is done without,
# because a report that is sent twice is counted once.

namespace eval ::telemetry::lock {
    # Its exit code, through a pipe that nobody has to wait for: 0 taken, 1 held by another, else there are no locks here.
    variable ask {"$1" -n 0; echo $?}
    # What a process may take to start, however little time there is.
    variable least_ms 100
}

# Waits for the lock of `directory`: {held CHANNEL}, none where it is done without, or busy.
proc ::telemetry::lock::take {directory milliseconds} {
    set file [Open $directory]
    if {$file eq {}} {
        return none
    }
    set deadline [::telemetry::waiting::deadline $milliseconds]
    set without none
    while 1 {
        switch -exact -- [Ask $file $deadline] {
            0 {return [list held $file]}
            1 {set without busy}
            default {
                close $file
                return $without
            }
        }
        # Not often: each time it is a process.
        set turns 80
        foreach _ {1 2 3 4} {
            if {![::telemetry::waiting::pause $deadline turns]} {
                close $file
                return busy
            }
        }
    }
}

# Waits for a sender that is at work in `directory` to be done. Where none ever was no file is made.
proc ::telemetry::lock::wait_for_sender {directory milliseconds} {
    if {[::telemetry::files::presence [::telemetry::state::path $directory lock]] eq "there"} {
        release [take $directory $milliseconds]
    }
}

proc ::telemetry::lock::release {lock} {
    if {[lindex $lock 0] eq "held"} {
        catch {close [lindex $lock 1]}
    }
}

# The file, made where it is missing; empty where that cannot be.
proc ::telemetry::lock::Open {directory} {
    if {$directory eq {} || [::telemetry::programs::find flock] eq {}} {
        return {}
    }
    set path [::telemetry::state::path $directory lock]
    if {[::telemetry::files::is_link $path]} {
        ::telemetry::files::remove $path
    }
    if {![catch {open $path {RDWR CREAT EXCL BINARY} 0600} file]} {
        ::telemetry::descriptor::permit $file 0600
    } elseif {![file isfile $path] || [catch {::telemetry::files::open_at_once $path RDWR} file]} {
        return {}
    }
    if {![::telemetry::descriptor::is_at $file $path file]} {
        close $file
        return {}
    }
    return $file
}

# Asks for it once, without waiting for another holder; what `flock` ends with, empty where it does not run in time.
proc ::telemetry::lock::Ask {file deadline} {
    variable ask
    variable least_ms
    set flock [::telemetry::programs::find flock]
    set left [expr {max($least_ms, [::telemetry::waiting::remaining $deadline])}]
    return [string trim [::telemetry::programs::run [list sh -c $ask sh $flock] $left $file]]
}
