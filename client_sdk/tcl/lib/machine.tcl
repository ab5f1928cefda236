# The machine as everything else in this package sees it: a file tree, an environment, a platform. It is a dictionary:
#
#     root          the directory that stands for `/`
#     host          the same for the machine that runs this program, where root is another tree; else empty
#     environ       NAME VALUE ...
#     system        linux, darwin or win32
#     user          the number of who runs this; empty on Windows
#     is_root       whether that is root
#     home          this account's home directory, for where HOME does not say it
#     build, is_server, release, locale     what only the running system can tell, see platform.tcl
#
# Nothing else in the package reads the environment or a file outside the state directory.

namespace eval ::telemetry::machine {}

# The machine this program runs on, with its files below `root`.
proc ::telemetry::machine::here {{root /}} {
    global env
    set root [::telemetry::files::absolute $root]
    set machine [::telemetry::platform::describe]
    dict set machine root $root
    dict set machine host [expr {[::telemetry::files::real $root] eq [::telemetry::files::real /] ? "" : "/"}]
    dict set machine environ [array get env]
    return $machine
}

# A variable of the environment, without blanks at its ends; empty where it is not set.
proc ::telemetry::machine::variable_of {machine name} {
    return [::telemetry::text::stripped [raw_variable $machine $name]]
}

# The same as it was set.
proc ::telemetry::machine::raw_variable {machine name} {
    return [::telemetry::value::member [dict get $machine environ] $name]
}

# This machine, and the one that runs this program where that is another: the report leaves from there.
proc ::telemetry::machine::all_that_may_forbid {machine} {
    set machines [list $machine]
    if {[dict get $machine host] ne {}} {
        set host $machine
        dict set host root [dict get $machine host]
        dict set host host {}
        lappend machines $host
    }
    return $machines
}

# Where `absolute` lies below the root.
proc ::telemetry::machine::path {machine absolute} {
    set absolute [string trimleft $absolute /]
    set root [string trimright [dict get $machine root] /]
    return $root/$absolute
}

# Whether there is something at this path.
proc ::telemetry::machine::exists {machine absolute} {
    return [expr {[::telemetry::files::presence [path $machine $absolute]] eq "there"}]
}

# The same, and true where this user may not look: what forbids must not be overlooked.
proc ::telemetry::machine::may_exist {machine absolute} {
    return [expr {[::telemetry::files::presence [path $machine $absolute]] ne "missing"}]
}

# Whether `path` is, as it is written, below a root that is another tree.
proc ::telemetry::machine::lies_inside {machine path} {
    set root [string trimright [dict get $machine root] /]/
    return [expr {[dict get $machine host] ne {} && [string first $root $path/] == 0}]
}

# Whether links take `path` out of a root that is another tree: an image must not reach its host.
proc ::telemetry::machine::leads_outside {machine path} {
    if {[dict get $machine host] eq {}} {
        return 0
    }
    set inside [::telemetry::files::real [dict get $machine root]]
    set found [::telemetry::files::real $path]
    return [expr {$found ne $inside && [string first [string trimright $inside /]/ $found] != 0}]
}

# The text at this path: {is_read text}.
proc ::telemetry::machine::read {machine absolute} {
    set path [path $machine $absolute]
    if {[string first \0 $path] >= 0 || [leads_outside $machine $path]} {
        return {0 {}}
    }
    return [::telemetry::files::read_text $path]
}

# The same without telling a missing file from an empty one.
proc ::telemetry::machine::text {machine absolute} {
    return [lindex [read $machine $absolute] 1]
}
