# The system's own programs: a name look-up, a lock, a registry value. Bounded in time; nothing of a report is among
# their arguments, and no licence key in their environment.
#
# Invariant: no word that a pipeline of Tcl takes for more than a word is ever passed on.

namespace eval ::telemetry::programs {
    variable key_variable TELEMETRY_LICENSE_KEY
}

# Where the program `name` lies; empty where it is not there.
proc ::telemetry::programs::find {name} {
    global env tcl_platform
    set is_windows [expr {$tcl_platform(platform) eq "windows"}]
    set directories {}
    if {$is_windows && [info exists env(SystemRoot)]} {
        lappend directories [file join $env(SystemRoot) System32]
    }
    if {!$is_windows} {
        if {[info exists env(PATH)]} {
            lappend directories {*}[split $env(PATH) :]
        }
        lappend directories /usr/bin /bin /usr/sbin /sbin
    }
    foreach directory $directories {
        # A program in the current directory is not the system's.
        if {[file pathtype $directory] ne "absolute" || [string match ~* $directory]} {
            continue
        }
        set path [string trimright $directory /]/$name[expr {$is_windows ? ".exe" : ""}]
        if {[file isfile $path] && [file executable $path]} {
            return $path
        }
    }
    return {}
}

# A channel to `command`, that neither waits nor is waited for. Raises an error where it cannot be started. input: an open
# file that it reads instead of nothing.
proc ::telemetry::programs::start {command {mode r} {input {}}} {
    global env
    variable key_variable
    foreach word $command {
        if {[regexp {^(?:[|<>&]|2>)} $word] || [string first \0 $word] >= 0} {
            error "a word that is no argument"
        }
    }
    set path [find [lindex $command 0]]
    if {$path eq {}} {
        error "the program is not there"
    }
    set key {}
    if {[info exists env($key_variable)]} {
        set key $env($key_variable)
        unset env($key_variable)
    }
    try {
        set nothing [expr {$::tcl_platform(platform) eq "windows" ? "NUL" : "/dev/null"}]
        set from [::telemetry::value::either [expr {$input eq {}}] [list <$nothing] [list <@ $input]]
        switch -exact -- $mode {
            r {set around [list {*}$from 2>$nothing]}
            w {set around [list >$nothing 2>$nothing]}
        }
        set channel [open |[list $path {*}[lrange $command 1 end] {*}$around] $mode]
    } finally {
        if {$key ne {}} {
            set env($key_variable) $key
            unset key
        }
    }
    fconfigure $channel -blocking 0 -translation binary
    return $channel
}

# What `command` prints, at most 64 KiB; empty where it is not there, fails to start, or takes longer.
proc ::telemetry::programs::run {command milliseconds {input {}}} {
    return [run_until $command [::telemetry::waiting::deadline $milliseconds] $input]
}

# The same before a deadline: where it takes longer, that has passed for the caller too.
proc ::telemetry::programs::run_until {command deadline {input {}}} {
    if {[catch {start $command r $input} channel]} {
        return {}
    }
    set printed {}
    set turns 0
    while 1 {
        if {[catch {read $channel 4096} read]} {
            break
        }
        append printed $read
        if {[eof $channel] || [string length $printed] > 65536} {
            break
        }
        if {$read eq {} && ![::telemetry::waiting::pause $deadline turns]} {
            set printed {}
            break
        }
    }
    # Without blocking: a program that hangs is left to itself.
    catch {close $channel}
    return $printed
}
