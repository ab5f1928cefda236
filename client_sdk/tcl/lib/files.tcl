# Files: read boundedly, written whole or not at all.
#
# Invariants: a path that is opened is absolute and has no NUL (Tcl runs what begins with `|`, and the system cuts a
# path at a NUL); a FIFO or device in the place of a file is a file that cannot be read; a temporary file's name begins
# with `.telemetry-`, and one that a power cut left behind is never read.

namespace eval ::telemetry::files {
    variable most_bytes 1048576
    variable temporary_prefix .telemetry-
}

# `path` from the current directory, without `.`, `..` and doubled slashes; links are not followed.
proc ::telemetry::files::absolute {path} {
    set path [Slashed $path]
    if {![IsRooted $path]} {
        set path [pwd]/$path
    }
    regexp {^([A-Za-z]:|//[^/]+/[^/]+)?(/.*)$} $path -> drive path
    set kept {}
    foreach part [split $path /] {
        switch -exact -- $part {
            {} - . {}
            .. {set kept [lrange $kept 0 end-1]}
            default {lappend kept $part}
        }
    }
    return $drive/[join $kept /]
}

proc ::telemetry::files::Slashed {path} {
    global tcl_platform
    if {$tcl_platform(platform) eq "windows"} {
        return [string map {\\ /} $path]
    }
    return $path
}

proc ::telemetry::files::IsRooted {path} {
    global tcl_platform
    if {$tcl_platform(platform) eq "windows"} {
        return [regexp {^(?:[A-Za-z]:|//[^/]+/[^/]+)/} $path]
    }
    return [string match /* $path]
}

proc ::telemetry::files::is_absolute {path} {
    return [IsRooted [Slashed $path]]
}

# `path` with every link followed, the last one too.
proc ::telemetry::files::real {path} {
    set found [file normalize $path/.x]
    return [::telemetry::value::either [expr {[file tail $found] eq ".x"}] [file dirname $found] $path]
}

# there, missing, or hidden: this user may not look.
proc ::telemetry::files::presence {path} {
    if {[string first \0 $path] >= 0 || $path eq {}} {
        return missing
    }
    if {[catch {file lstat $path found} _ options]} {
        set code [lindex [dict get $options -errorcode] 1]
        return [expr {$code in {ENOENT ENOTDIR ENAMETOOLONG EINVAL} ? "missing" : "hidden"}]
    }
    return there
}

proc ::telemetry::files::CheckPath {path} {
    if {![is_absolute $path] || [string first \0 $path] >= 0} {
        return -code error -errorcode {POSIX ENOENT {no such file or directory}} "not a path that is opened"
    }
}

# The bytes of a file, at most `most`; -1 before them where it is missing or cannot be read: {is_read bytes}.
proc ::telemetry::files::read_bytes {path {most 0}} {
    variable most_bytes
    if {[catch {
        CheckPath $path
        if {![file isfile $path]} {
            return {0 {}}
        }
        set file [open $path {RDONLY BINARY}]
        try {
            set bytes [read $file [expr {$most ? $most : $most_bytes}]]
        } finally {
            close $file
        }
    }]} {
        return {0 {}}
    }
    return [list 1 $bytes]
}

# The text of a file: {is_read text}.
proc ::telemetry::files::read_text {path {most 0}} {
    lassign [read_bytes $path $most] is_read bytes
    return [list $is_read [::telemetry::text::decoded $bytes]]
}

# Puts `text` at `path`. Raises a POSIX error where that fails; the old content is then still there.
proc ::telemetry::files::write {path text permissions} {
    variable temporary_prefix
    CheckPath $path
    if {[file isdirectory $path] && [file type $path] ne "link"} {
        # Tcl would put the file into it.
        return -code error -errorcode {POSIX EISDIR {is a directory}} "is a directory"
    }
    set temporary [file dirname $path]/$temporary_prefix[string range [::telemetry::random::hex] 0 15]
    try {
        set file [open $temporary {WRONLY CREAT EXCL BINARY} 0600]
        try {
            puts -nonewline $file [::telemetry::text::encoded $text]
        } finally {
            close $file
        }
        Permit $temporary $permissions
        Sync $temporary
        if {[file isdirectory $path]} {
            # A link to one: Tcl would put the file behind it.
            file delete -- $path
        }
        file rename -force -- $temporary $path
    } on error {message options} {
        catch {file delete -- $temporary}
        return -options $options $message
    }
}

# Tcl cannot sync. Where the system's `sync` takes a file, it does; elsewhere a power cut may cost the last file.
proc ::telemetry::files::Sync {path} {
    global tcl_platform
    if {$tcl_platform(os) eq "Linux"} {
        ::telemetry::programs::run [list sync $path] 1000
    }
}

proc ::telemetry::files::Permit {path permissions} {
    global tcl_platform
    if {$tcl_platform(platform) eq "unix"} {
        file attributes $path -permissions $permissions
    }
}

# Makes a directory where it is missing. Raises a POSIX error where it cannot be made.
proc ::telemetry::files::make_directory {path permissions} {
    CheckPath $path
    if {![file isdirectory $path]} {
        file mkdir $path
        # Whatever the umask.
        Permit $path $permissions
    }
}

# Deletes one file; 0 where it is still there.
proc ::telemetry::files::remove {path} {
    if {[presence $path] eq "missing"} {
        return 1
    }
    if {[catch {
        CheckPath $path
        if {[file type $path] eq "directory"} {
            return 0
        }
        file delete -- $path
    }]} {
        return 0
    }
    return 1
}

# The names in a directory that match one of `patterns`.
proc ::telemetry::files::names {directory args} {
    if {$directory eq {} || [catch {glob -nocomplain -tails -directory $directory -- {*}$args} found]} {
        return {}
    }
    return [lmap name $found {string map {./~ ~} $name}]
}

# What the system said of the last error, with a capital as everywhere else.
proc ::telemetry::files::reason {options} {
    set code [dict get $options -errorcode]
    set why [::telemetry::value::either [expr {[lindex $code 0] eq "POSIX"}] [lindex $code 2] "cannot be written"]
    return [string toupper [string index $why 0]][string range $why 1 end]
}
