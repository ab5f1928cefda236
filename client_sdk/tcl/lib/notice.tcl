# The line that comes before the first send where no person chose on this machine.

namespace eval ::telemetry::notice {}

# The notice, in one line.
proc ::telemetry::notice::words {} {
    return "telemetry-client: this image reports its product, version, source (vm, cloud or container), OS version,\
        instance type, language and a random number made for each report to its vendor; `telemetry-client show` shows it,\
        `telemetry-client off` ends it ([::telemetry::permit::policy contact], [::telemetry::permit::policy url])"
}

# Shows it where it was not shown so far; 0 where it could not be shown.
proc ::telemetry::notice::give {client is_dry_run} {
    set state [dict get $client state]
    if {[dict get $client is_told] || [::telemetry::state::notice_was_shown $state]} {
        return 1
    }
    if {[LeadsNowhere] || [catch {puts stderr [words]; flush stderr}]} {
        return 0
    }
    # A dry run is made while an image is built: its users have not seen the notice yet.
    if {!$is_dry_run} {
        ::telemetry::state::try_write $state notice "shown_at = [dict get $client now]\n" 0644
    }
    return 1
}

# Whether the standard error is the null device, by whatever path that was opened: it may be the one outside of a
# container. Tcl puts it in the place of one that is closed.
proc ::telemetry::notice::LeadsNowhere {} {
    set shown [::telemetry::descriptor::path_of 2]
    if {$shown eq {} || [catch {file stat $shown opened}] || $opened(type) ne "characterSpecial"} {
        return 0
    }
    if {![catch {file readlink $shown} target] && [file tail $target] eq "null"} {
        return 1
    }
    return [expr {![catch {file stat /dev/null null}] && $opened(dev) == $null(dev) && $opened(ino) == $null(ino)}]
}
