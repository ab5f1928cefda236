#!/bin/sh
# The command line of the package: telemetry.tcl show|verify|send|status|on|off|log|seal, see README.md. \
exec tclsh "$0" ${1+"$@"}

apply {{} {
    # Without a console there is none of them.
    foreach name {stdin stdout stderr} {
        catch {fconfigure $name -encoding utf-8}
    }
    catch {fconfigure stdout -translation lf}
    catch {fconfigure stderr -translation lf -buffering line}
    # Arguments, variables and names of files are UTF-8, also where no locale says so.
    if {$::tcl_platform(platform) eq "unix" && [encoding system] ne "utf-8"} {
        set system [encoding system]
        set ::argv [lmap each $::argv {encoding convertfrom utf-8 [encoding convertto $system $each]}]
        set ::argv0 [encoding convertfrom utf-8 [encoding convertto $system $::argv0]]
        encoding system utf-8
    }
}}
source -encoding utf-8 [file join [file dirname [file normalize [info script]]] package.tcl]
foreach module {presentation verification arguments help output key_input background commands} {
    source -encoding utf-8 [file join $::telemetry::directory lib $module.tcl]
}
unset module

# Runs one command and returns its exit code.
proc ::telemetry::run {arguments} {
    try {
        set parsed [arguments::parse $arguments]
    } trap {TELEMETRY HELP} {_ options} {
        output::say [help::text [lindex [dict get $options -errorcode] 2]]
        return 0
    } trap {TELEMETRY VERSION} {} {
        output::say "telemetry-client $::telemetry::package_version"
        return 0
    }
    return [commands::run $parsed]
}

proc ::telemetry::main {arguments} {
    try {
        if {$arguments eq "--task"} {
            background::run
            return 0
        }
        return [run $arguments]
    } trap {TELEMETRY OUTPUT} {why} {
        output::complain "telemetry-client: $why"
        return 1
    } trap {TELEMETRY USAGE} {why} {
        output::complain $why
        return 2
    } on error {why options} {
        # The class only: the text of an error might quote what was about to be sent.
        set kind [lindex [dict get $options -errorcode] 0]
        output::complain "telemetry-client: internal error ($kind); nothing was sent"
        # 1 is an answer of `verify`.
        return [expr {"send" in $arguments ? 0 : "verify" in $arguments ? 2 : 1}]
    }
}

exit [::telemetry::main $::argv]
