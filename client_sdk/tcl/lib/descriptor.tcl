# What an open file or directory is, asked of its descriptor and not of its name: a name may lead elsewhere by now.
#
# The system shows descriptors as paths (/proc, /dev/fd); where it does not (Windows, a chroot without /proc), nothing is
# known of one.

namespace eval ::telemetry::descriptor {
    variable directories {/proc/self/fd /dev/fd}
}

# A path that leads to what `channel` has open, whatever became of its name; empty where there is none.
proc ::telemetry::descriptor::path {channel} {
    if {[regexp {^file([0-9]+)$} $channel -> number]} {
        return [path_of $number]
    }
    return {}
}

proc ::telemetry::descriptor::path_of {number} {
    variable directories
    foreach directory $directories {
        if {![catch {file stat $directory/$number _}]} {
            return $directory/$number
        }
    }
    return {}
}

# Whether what is open is what lies at `path`, which is no link but of the kind `type`.
proc ::telemetry::descriptor::is_at {channel path type} {
    if {[catch {file lstat $path named}] || $named(type) ne $type} {
        return 0
    }
    set open [path $channel]
    if {$open eq {}} {
        return 1
    }
    return [expr {![catch {file stat $open opened}] && $opened(dev) == $named(dev) && $opened(ino) == $named(ino)}]
}

# Gives what is open its mode, whatever the umask. Where the system lets nobody do that by a descriptor, it keeps what the
# umask left of the mode that it was made with: less than was meant, or for a directory the usual one.
proc ::telemetry::descriptor::permit {channel permissions} {
    set open [path $channel]
    if {$open ne {}} {
        catch {file attributes $open -permissions $permissions}
    }
}
