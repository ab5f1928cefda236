# Whose a file is: what somebody else may have written does not allow anything in this user's name.
#
# Windows has no such owners, and these rules do not apply there.

namespace eval ::telemetry::ownership {}

# Whether nobody but this user and root may have written the file at `path`.
proc ::telemetry::ownership::is_alone {path} {
    return [expr {[IsOurs $path _] && [directory_is_alone [file dirname $path]]}]
}

# The same for a file that is going to be written into `directory`.
proc ::telemetry::ownership::directory_is_alone {directory} {
    return [expr {[IsOurs $directory mode] && !($mode & 0o002)}]
}

proc ::telemetry::ownership::IsOurs {path modeName} {
    global tcl_platform
    upvar 1 $modeName mode
    set mode 0
    if {$tcl_platform(platform) ne "unix"} {
        return 1
    }
    if {[catch {file stat $path found}]} {
        return 0
    }
    set mode $found(mode)
    return [expr {$found(uid) in [list 0 [dict get [::telemetry::platform::describe] user]]}]
}
