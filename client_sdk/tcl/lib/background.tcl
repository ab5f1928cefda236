# Sending beside the caller: a process of its own session, with none of the caller's files open.
#
# Tcl cannot fork, so another tclsh runs this package's command line with the word `--task`. Licence key and facts are in
# no argument and no variable of a process: it reads what it is to do, as JSON, from its standard input.

namespace eval ::telemetry::background {
    # Lets go of what the caller had open, then becomes the program in its arguments.
    variable let_go {for fd in /proc/self/fd/* /dev/fd/*; do
  fd=${fd##*/}
  # Some shells know no numbers of two digits, and take them for a program.
  case $fd in [3-9] | [1-9][0-9]*) (eval "exec $fd>&-") 2>/dev/null && eval "exec $fd>&-" ;; esac
done
cd /
exec "$@"}
}

# Has another process send what is ready, within so many milliseconds; 0 where there is no room for one.
proc ::telemetry::background::leave_behind {parsed ready milliseconds} {
    global tcl_platform
    variable let_go
    set task [dict create]
    dict for {name value} [dict get $ready given] {
        dict set task $name [list string $value]
    }
    foreach name {--url --state-dir --config --root} {
        if {[dict exists $parsed $name]} {
            set value [dict get $parsed $name]
            # It works elsewhere.
            if {$name in {--state-dir --root}} {
                set value [::telemetry::files::absolute $value]
            }
            dict set task $name [list string $value]
        }
    }
    # It has no standard error: a notice that was due was given here.
    dict set task is-told [list number [dict get $ready is_told]]
    dict set task milliseconds [list number $milliseconds]
    set command [list [info nameofexecutable] [file join $::telemetry::directory telemetry.tcl] --task]
    if {$tcl_platform(platform) eq "unix"} {
        set shell [expr {[::telemetry::programs::find bash] eq {} ? "sh" : "bash"}]
        set command [concat [list $shell -c $let_go $shell] $command]
        if {[::telemetry::programs::find setsid] ne {}} {
            set command [linsert $command 0 setsid]
        } elseif {[::telemetry::programs::find perl] ne {}} {
            set command [concat [list perl -MPOSIX -e {POSIX::setsid(); exec @ARGV} --] $command]
        }
    }
    if {[catch {
        set channel [::telemetry::programs::start $command w]
        puts $channel [::telemetry::json::compact [list object $task]]
        flush $channel
        # Without blocking, so nobody waits for it.
        close $channel
    }]} {
        return 0
    }
    return 1
}

# In that process: what `leave_behind` wrote.
proc ::telemetry::background::run {} {
    fconfigure stdin -translation binary
    set told [lindex [::telemetry::json::parse [gets stdin]] 1]
    set task [dict map {_ value} $told {lindex $value 1}]
    set deadline [::telemetry::waiting::deadline [dict get $task milliseconds]]
    set options [dict create]
    foreach {option name} {--url url --state-dir state_dir --config config --root root is-told is_told} {
        if {[dict exists $task $option]} {
            dict set options $name [dict get $task $option]
        }
    }
    ::telemetry::client::send [::telemetry::client::open $options] [dict filter $task key {[a-z]*}] $deadline
}
