# Files: read boundedly, written whole or not at all.
#
# Invariants: a path that is opened is absolute and has no NUL (Tcl runs what begins with `|`, and the system cuts a
# path at a NUL); a FIFO, a device, or more than 1 MiB in the place of a file is a file that cannot be read; a temporary
# file's name begins with `.telemetry-`, and one that a power cut left behind is never read. Of this client's own files
# none is reached through a link.

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

# The bytes of a file: {is_read bytes}. What is missing, longer than `most`, or no file cannot be read.
proc ::telemetry::files::read_bytes {path {most 0}} {
    return [ReadBytes $path $most 1]
}

# The text of a file: {is_read text}.
proc ::telemetry::files::read_text {path} {
    return [Decoded [read_bytes $path]]
}

# The same for a file of this client's own: a link in its place is not followed.
proc ::telemetry::files::read_own_bytes {path {most 0}} {
    return [ReadBytes $path $most 0]
}

proc ::telemetry::files::read_own_text {path} {
    return [Decoded [read_own_bytes $path]]
}

proc ::telemetry::files::Decoded {read} {
    lassign $read is_read bytes
    return [list $is_read [::telemetry::text::decoded $bytes]]
}

proc ::telemetry::files::ReadBytes {path most follows_links} {
    variable most_bytes
    set most [expr {$most ? $most : $most_bytes}]
    if {[catch {
        CheckPath $path
        if {![file isfile $path]} {
            return {0 {}}
        }
        set file [open_at_once $path RDONLY]
        try {
            if {!$follows_links && ![::telemetry::descriptor::is_at $file $path file]} {
                return {0 {}}
            }
            set bytes [read $file [expr {$most + 1}]]
        } finally {
            close $file
        }
    }] || [string length $bytes] > $most} {
        return {0 {}}
    }
    return [list 1 $bytes]
}

# Opens what is there, for bytes. A FIFO that was put there a moment ago does not hold its reader.
proc ::telemetry::files::open_at_once {path access} {
    global tcl_platform
    set access [list $access BINARY]
    if {$tcl_platform(platform) eq "unix"} {
        lappend access NONBLOCK
    }
    return [open $path $access]
}

proc ::telemetry::files::is_link {path} {
    return [expr {![catch {file lstat $path found}] && $found(type) eq "link"}]
}

# Puts `text` at `path`; a link that is there is replaced, not followed. Raises a POSIX error where that fails; the old
# content is then still there.
proc ::telemetry::files::write {path text permissions} {
    variable temporary_prefix
    CheckPath $path
    if {[file isdirectory $path] && ![is_link $path]} {
        # Tcl would put the file into it.
        return -code error -errorcode {POSIX EISDIR {is a directory}} "is a directory"
    }
    set temporary [file dirname $path]/$temporary_prefix[string range [::telemetry::random::hex] 0 15]
    try {
        # For reading too: `sync` inherits it as its input.
        set file [open $temporary {RDWR CREAT EXCL BINARY} $permissions]
        # From here on by its descriptor alone: whoever else may write the directory may put a link in its place.
        try {
            ::telemetry::descriptor::permit $file $permissions
            puts -nonewline $file [::telemetry::text::encoded $text]
            flush $file
            Sync $file
        } finally {
            close $file
        }
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

# Tcl cannot sync. Where the system's `sync` takes a file, it does, by the descriptor that it inherits as its input;
# elsewhere a power cut may cost the last file.
proc ::telemetry::files::Sync {file} {
    global tcl_platform
    if {$tcl_platform(os) eq "Linux"} {
        ::telemetry::programs::run {sync /proc/self/fd/0} 1000 $file
    }
}

# Makes a directory where it is missing. Raises a POSIX error where it cannot be made.
proc ::telemetry::files::make_directory {path permissions} {
    CheckPath $path
    if {![file isdirectory $path]} {
        file mkdir $path
        # Whatever the umask.
        permit_directory $path $permissions
    }
}

# Gives a directory its mode; a link in its place leads to none that is changed.
proc ::telemetry::files::permit_directory {path permissions} {
    global tcl_platform
    if {$tcl_platform(platform) ne "unix"} {
        return
    }
    set directory [open_at_once $path RDONLY]
    try {
        if {[::telemetry::descriptor::is_at $directory $path directory]} {
            ::telemetry::descriptor::permit $directory $permissions
        }
    } finally {
        close $directory
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
