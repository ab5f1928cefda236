# Operating system, language and boot of a machine.
#
# `debian-12`, `ubuntu-22.04`, `arch`, `windows-11`, `macos-14`: Linux is read from os-release, which is parsed and never
# sourced. Rolling distributions have no VERSION_ID: the name alone is the answer. Windows calls itself 10 for ever; from
# build 22000 on it is 11.
#
# The language is a BCP-47 tag: `pt-BR`, `sr-Latn-RS`, or `und` where there is none. The order is the one of gettext,
# first in the environment, then in the files that set the system's locale, then what the system itself says.
#
# A fact is {VALUE ORIGIN}; what is not known is empty.

namespace eval ::telemetry::system {
    variable os_release {/etc/os-release /usr/lib/os-release}
    variable servers {26100 2025 20348 2022 17763 2019 14393 2016 9600 2012-r2}
    variable clients {22000 11 10240 10 9600 8.1 7600 7}
    variable locale_variables {LC_ALL LC_MESSAGES LANG}
    variable locale_files {/etc/locale.conf /etc/default/locale}
    variable scripts {latin Latn cyrillic Cyrl devanagari Deva arabic Arab}
}

proc ::telemetry::system::os_version {machine} {
    switch -exact -- [dict get $machine system] {
        win32 {return [windows [dict get $machine build] [dict get $machine is_server]]}
        darwin {return [macos [dict get $machine release]]}
    }
    variable os_release
    foreach path $os_release {
        set values [::telemetry::assignments::last_values [::telemetry::machine::text $machine $path]]
        set name [::telemetry::text::lowered [::telemetry::assignments::value $values ID]]
        set version [::telemetry::text::lowered [::telemetry::assignments::value $values VERSION_ID]]
        if {$name ne {}} {
            return [list [::telemetry::value::either [expr {$version eq {}}] $name $name-$version] $path]
        }
    }
    set flavour [::telemetry::text::lowered [::telemetry::machine::variable_of $machine OS_FLAVOUR]]
    return [::telemetry::value::either [expr {$flavour eq {}}] {} [list $flavour "environment OS_FLAVOUR"]]
}

proc ::telemetry::system::windows {build is_server} {
    variable servers
    variable clients
    set name [expr {$is_server ? "windows-server" : "windows"}]
    foreach {first release} [expr {$is_server ? $servers : $clients}] {
        if {$build >= $first} {
            set name $name-$release
            break
        }
    }
    return [list $name "Windows build number"]
}

proc ::telemetry::system::macos {release} {
    if {![regexp {^([0-9]+)(?:\.([0-9]+))?} $release -> major minor]} {
        return {}
    }
    # Until 10.15 the second number was the release; since 11 it is the first.
    set has_two [expr {$minor ne {} && [::telemetry::text::whole_number $major] <= 10}]
    set shown [::telemetry::value::either $has_two $major.$minor $major]
    return [list macos-$shown "macOS version"]
}

proc ::telemetry::system::language {machine} {
    variable locale_files
    set found [FirstLocale [dict get $machine environ] "environment "]
    foreach path $locale_files {
        if {$found eq {}} {
            set values [::telemetry::assignments::last_values [::telemetry::machine::text $machine $path]]
            set found [FirstLocale $values "$path "]
        }
    }
    set locale [dict get $machine locale]
    if {$found eq {} && $locale ne {}} {
        set found [list [to_bcp47 $locale] "system locale"]
    }
    return $found
}

proc ::telemetry::system::FirstLocale {values origin} {
    variable locale_variables
    foreach name $locale_variables {
        set value [::telemetry::assignments::value $values $name]
        # An empty variable counts as not set, as POSIX says.
        if {[::telemetry::text::stripped $value] ne {}} {
            return [list [to_bcp47 $value] $origin$name]
        }
    }
    return {}
}

# The tag of a POSIX locale: `sr_RS.UTF-8@latin` becomes `sr-Latn-RS`, `C` becomes `und`. What is no locale comes back as
# it is; the permits' format then keeps it from being sent.
proc ::telemetry::system::to_bcp47 {locale} {
    variable scripts
    regexp {^([^@]*)(?:@(.*))?$} [::telemetry::text::stripped $locale] -> name modifier
    regexp {^([^.]*)} $name name
    set rest [lassign [split [string map {_ -} $name] -] language]
    if {[::telemetry::text::raised $name] in {C POSIX}} {
        return und
    }
    set modifier [::telemetry::text::lowered $modifier]
    set script [::telemetry::value::member $scripts $modifier]
    set region {}
    foreach part $rest {
        if {[regexp {^[A-Za-z]{4}$} $part]} {
            set script [::telemetry::text::raised [string index $part 0]][::telemetry::text::lowered [string range $part 1 end]]
        } elseif {$region eq {} && ([string length $part] == 2 || [::telemetry::text::is_number $part])} {
            set region [::telemetry::text::raised $part]
        }
    }
    set parts [list [::telemetry::text::lowered $language]]
    foreach part [list $script $region] {
        if {$part ne {}} {
            lappend parts $part
        }
    }
    return [string trimleft [join $parts -] -]
}

# The boot that runs: the kernel's random boot id, a slash, and the start time of process 1, so that a container that
# starts again is a boot of its own. Empty where no boot is known. Compared on this machine, and never sent.
proc ::telemetry::system::boot {machine} {
    set id [::telemetry::text::first_line [::telemetry::machine::text $machine /proc/sys/kernel/random/boot_id]]
    if {![regexp {^[0-9A-Za-z-]{1,64}$} $id]} {
        return {}
    }
    # The process's name is in brackets and may hold blanks and brackets itself.
    set stat [::telemetry::machine::text $machine /proc/1/stat]
    set columns [regexp -all -inline {\S+} [string range $stat [string last ) $stat]+1 end]]
    set started [lindex $columns 19]
    return $id/[::telemetry::value::either [::telemetry::text::is_number $started] $started {}]
}
