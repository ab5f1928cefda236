# What only the running system can tell: its kind, who runs this, and on Windows and macOS version and language.
#
# The parts that read a program's or the registry's answer are procedures of their own, so that they can be checked
# with recorded answers where the system itself is not at hand.

namespace eval ::telemetry::platform {
    variable cached {}
    variable most_ms 2000
    variable windows_key {HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion}
    variable locale_key {HKEY_CURRENT_USER\Control Panel\International}
}

# A machine's system, user, is_root, home, build, is_server, release and locale; asked once.
proc ::telemetry::platform::describe {} {
    variable cached
    global tcl_platform
    if {$cached eq {}} {
        set cached {system linux user {} is_root 0 home {} build 0 is_server 0 release {} locale {}}
        if {$tcl_platform(platform) eq "windows"} {
            set cached [dict merge $cached {system win32} [Windows]]
        } else {
            set user [UserId]
            dict set cached user $user
            dict set cached is_root [expr {$user eq "0"}]
            dict set cached home [home_in_passwd [lindex [::telemetry::files::read_text /etc/passwd] 1] $user]
            if {$tcl_platform(os) eq "Darwin"} {
                set cached [dict merge $cached {system darwin} [Macos]]
            }
        }
    }
    return $cached
}

proc ::telemetry::platform::UserId {} {
    variable most_ms
    set status [lindex [::telemetry::files::read_text /proc/self/status] 1]
    if {[regexp -line {^Uid:\s+[0-9]+\s+([0-9]+)} $status -> user]} {
        return $user
    }
    return [string trim [::telemetry::programs::run {id -u} $most_ms]]
}

# From /etc/passwd alone: the name service might ask the network, before anybody allowed that.
proc ::telemetry::platform::home_in_passwd {text user} {
    foreach line [split $text \n] {
        set columns [split $line :]
        if {[llength $columns] == 7 && [lindex $columns 2] eq $user} {
            return [lindex $columns 5]
        }
    }
    return {}
}

proc ::telemetry::platform::Windows {} {
    variable windows_key
    variable locale_key
    set build [Registry $windows_key CurrentBuildNumber]
    if {$build eq {}} {
        variable most_ms
        set build [build_in_ver [::telemetry::programs::run {cmd /c ver} $most_ms]]
    }
    return [windows_facts $build [Registry $windows_key InstallationType] [Registry $locale_key LocaleName]]
}

# build, is_server and locale from the registry's values.
proc ::telemetry::platform::windows_facts {build installation locale} {
    # "Client", "Server" and "Server Core" are the values that exist.
    return [list build [::telemetry::text::whole_number $build] is_server [string match Server* $installation] locale $locale]
}

# The build in `Microsoft Windows [Version 10.0.19045.4894]`, in whatever language.
proc ::telemetry::platform::build_in_ver {printed} {
    return [expr {[regexp {[0-9]+\.[0-9]+\.([0-9]+)} $printed -> build] ? $build : 0}]
}

proc ::telemetry::platform::Registry {key name} {
    variable most_ms
    if {![catch {package require registry}]} {
        return [::telemetry::value::either [catch {registry get $key $name} value] {} $value]
    }
    return [value_in_reg [::telemetry::programs::run [list reg query $key /v $name] $most_ms] $name]
}

# The value in what `reg query KEY /v NAME` prints: `    LocaleName    REG_SZ    pt-BR`.
proc ::telemetry::platform::value_in_reg {printed name} {
    foreach line [split $printed \n] {
        if {[regexp {^\s+(\S+)\s+REG_[A-Z_]+\s+(.*\S)\s*$} $line -> found value] && $found eq $name} {
            return $value
        }
    }
    return {}
}

proc ::telemetry::platform::Macos {} {
    variable most_ms
    set file [lindex [::telemetry::files::read_text /System/Library/CoreServices/SystemVersion.plist] 1]
    set release [release_in_plist $file]
    if {$release eq {}} {
        set release [string trim [::telemetry::programs::run {sw_vers -productVersion} $most_ms]]
    }
    set locale [::telemetry::programs::run {defaults read -g AppleLocale} $most_ms]
    return [list release $release locale [::telemetry::text::first_line $locale]]
}

# The version in SystemVersion.plist.
proc ::telemetry::platform::release_in_plist {text} {
    set found {<key>ProductVersion</key>\s*<string>([0-9.]+)</string>}
    set release {}
    regexp $found $text -> release
    return $release
}
