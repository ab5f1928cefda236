# What this client remembers, in one directory that may be missing or unwritable.
#
#     consent       choice = on|off, chosen_at = seconds since 1970      0644
#     notice        shown_at = seconds; the notice was shown             0644
#     stopped       version = 1; the collector told this version to stop 0644
#     last-send     what the last send said, see last_send.tcl           0600
#     lock          nothing; held by the one sender at work, see lock.tcl  0600
#     sealed        boot = ...; the image was sealed in it, see sealing.tcl  0644
#     last-boot     boot = ...; that was reported, see limits.tcl        0644
#     today         day = ..., reports = ...; how many were made         0644
#     not-before    when the collector may be asked again, see pause.tcl 0600
#     sent          the last ten bodies, see sent.tcl                    0600
#     outbox/       reports that wait, see outbox.tcl                    0700
#
# All but lock, sent and outbox/ are KEY=value lines. A choice that is there and cannot be read counts as off, and so does
# one in a directory that this user may not look into, and an "on" that somebody else may have written. Nothing else here
# may stop a send: what cannot be written is not remembered, and that is all. No link is followed in the place of any.

namespace eval ::telemetry::state {
    variable system_directory /var/lib/telemetry-client
    variable foreign_words "is not this user's alone"
}

# As given, TELEMETRY_STATE_DIR, the machine's for root, else the user's; empty without a home.
proc ::telemetry::state::directory {machine {given {}}} {
    set stated [::telemetry::value::first $given [::telemetry::machine::raw_variable $machine TELEMETRY_STATE_DIR]]
    if {$stated ne {}} {
        set stated [::telemetry::files::absolute $stated]
        # A link in an image must not lead to the machine that looks at it.
        set is_led_out [expr {
            [::telemetry::machine::lies_inside $machine $stated] && [::telemetry::machine::leads_outside $machine $stated]
        }]
        return [::telemetry::value::either $is_led_out {} $stated]
    }
    return [lindex [default_directories $machine] 0]
}

# Where this user's choice is looked for whatever a sender's own directory is; the usual one first. XDG_STATE_HOME adds a
# place and takes none away: a service has not got the variables of a login shell.
proc ::telemetry::state::default_directories {machine} {
    variable system_directory
    if {[dict get $machine is_root]} {
        set system [::telemetry::machine::path $machine $system_directory]
        return [::telemetry::value::either [::telemetry::machine::leads_outside $machine $system] {} [list $system]]
    }
    set bases [list [::telemetry::machine::raw_variable $machine XDG_STATE_HOME]]
    if {[dict get $machine system] eq "win32"} {
        lappend bases [string map {\\ /} [::telemetry::machine::raw_variable $machine LOCALAPPDATA]]
    } else {
        foreach home [list [::telemetry::machine::raw_variable $machine HOME] [dict get $machine home]] {
            if {[::telemetry::files::is_absolute $home]} {
                lappend bases [string trimright $home /]/.local/state
                break
            }
        }
    }
    set places {}
    foreach base $bases {
        if {[::telemetry::files::is_absolute $base]} {
            lappend places [string trimright $base /]/telemetry-client
        }
    }
    return $places
}

# Where the file `name` lies; without a state directory nowhere, not in the current one.
proc ::telemetry::state::path {directory name} {
    return [::telemetry::value::either [expr {$directory eq {}}] {} [string trimright $directory /]/$name]
}

# The stored choice: is_on chosen_at origin is_own, and what the file says of off; empty where nobody has chosen.
proc ::telemetry::state::choice {directory {is_own 1}} {
    set path [path $directory consent]
    set choice [dict create is_on 0 chosen_at 0 origin $path is_own $is_own says "says off"]
    switch -exact -- [::telemetry::files::presence $path] {
        missing {return {}}
        hidden {
            dict set choice says "cannot be read, which counts as off"
            return $choice
        }
    }
    # One line that is broken or says off is enough for off.
    set says {}
    foreach {_number key value} [::telemetry::assignments::read [lindex [::telemetry::files::read_own_text $path] 1]] {
        switch -exact -- $key {
            {} {lappend says off}
            choice {lappend says $value}
            chosen_at {dict set choice chosen_at [::telemetry::text::whole_number $value]}
        }
    }
    if {[lsort -unique $says] ne "on"} {
        return $choice
    }
    if {[::telemetry::ownership::is_alone $path]} {
        dict set choice is_on 1
    } else {
        variable foreign_words
        dict set choice says $foreign_words
    }
    return $choice
}

# Whether what is stored is an "off", and not an "on" that is not heard.
proc ::telemetry::state::says_off {choice} {
    variable foreign_words
    return [expr {![dict get $choice is_on] && [dict get $choice says] ne $foreign_words}]
}

# Stores the choice. Raises an error where it cannot: a person must know that it did not hold.
proc ::telemetry::state::choose {directory word now} {
    if {$word eq "on"} {
        Make $directory
        if {![::telemetry::ownership::directory_is_alone $directory]} {
            # There it would not be heard.
            return -code error -errorcode {TELEMETRY FOREIGN} "not this user's alone"
        }
    }
    Write $directory consent "choice = $word\nchosen_at = $now\n" 0644
}

proc ::telemetry::state::notice_was_shown {directory} {
    return [dict exists [values $directory notice] shown_at]
}

# Whether a collector told this version of the client to stop.
proc ::telemetry::state::is_stopped {directory} {
    return [expr {[value $directory stopped version] eq $::telemetry::client_version}]
}

# The assignments in the file `name`; none where it is missing or cannot be read.
proc ::telemetry::state::values {directory name} {
    return [::telemetry::assignments::last_values [lindex [::telemetry::files::read_own_text [path $directory $name]] 1]]
}

proc ::telemetry::state::value {directory name key} {
    return [::telemetry::assignments::value [values $directory $name] $key]
}

# Writes the file `name` whole; 0 where it cannot be written.
proc ::telemetry::state::try_write {directory name text permissions} {
    return [expr {![catch {Write $directory $name $text $permissions}]}]
}

# Deletes the file `name`; 0 where it is still there.
proc ::telemetry::state::remove {directory name} {
    return [::telemetry::files::remove [path $directory $name]]
}

# Makes the directory where it is missing and can be made.
proc ::telemetry::state::try_make {directory} {
    catch {Make $directory}
}

proc ::telemetry::state::Write {directory name text permissions} {
    Make $directory
    ::telemetry::files::write [path $directory $name] $text $permissions
}

proc ::telemetry::state::Make {directory} {
    if {$directory eq {}} {
        return -code error -errorcode {POSIX ENOENT {there is no home directory to keep the state in}} "no directory"
    }
    # Whatever the umask: root's "off" is for everybody to see. What is private has its own mode.
    ::telemetry::files::make_directory $directory 0755
}
