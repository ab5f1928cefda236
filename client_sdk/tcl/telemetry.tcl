#!/bin/sh
# The command line of the package: telemetry.tcl show|send|status|on|off|log|seal, see README.md. \
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
foreach module {presentation arguments background commands} {
    source -encoding utf-8 [file join $::telemetry::directory lib $module.tcl]
}
unset module

proc ::telemetry::main {arguments} {
    try {
        if {$arguments eq "--task"} {
            background::run
            return 0
        }
        return [commands::run [arguments::parse $arguments]]
    } trap {TELEMETRY HELP} {} {
        puts [string trim $arguments::help \n]
        return 0
    } trap {TELEMETRY VERSION} {} {
        puts "telemetry-client $::telemetry::package_version"
        return 0
    } trap {TELEMETRY USAGE} {why} {
        catch {puts stderr $why}
        return 2
    } trap {POSIX EPIPE} {} {
        # The reader of a pipe went away.
        return 0
    } on error {why options} {
        # The class only: the text of an error might quote what was about to be sent.
        set kind [lindex [dict get $options -errorcode] 0]
        catch {puts stderr "telemetry-client: internal error ($kind); nothing was sent"}
        return [expr {"send" ni $arguments}]
    }
}

exit [::telemetry::main $::argv]
