# The arguments of the command line, and the help that teaches them.
#
# A licence key is never an argument, because arguments show in process lists and shell histories; and an argument that is
# not understood is not repeated, because it may be one.

namespace eval ::telemetry::arguments {
    variable most_seconds 60
    # Each option: whether a value follows it, and which commands take it.
    variable options {
        --product {1 {show send status}} --product-version {1 {show send}} --source {1 {show send}}
        --os-version {1 {show send}} --instance-type {1 {show send}} --language {1 {show send}}
        --license-key-stdin {0 {show send}} --url {1 {show send status}}
        --dry-run {0 send} --timeout {1 send} --background {0 send} --reveal-key {0 show}
        --format {1 {show send status log}}
        --state-dir {1 {show send status log on off seal}} --config {1 {show send status log on off seal}}
        --root {1 {show send status log on off seal}}
    }
    variable commands {show send status log on off seal}
    variable choices {--source {vm cloud container} --format {text json}}
    variable usage "usage: telemetry-client COMMAND \[OPTION ...\]"
    variable help {
usage: telemetry-client COMMAND [OPTION ...]

Tells a product's vendor which version runs on which system, if you allow it.

commands:
  show      print exactly what would be sent, and whether it would be
  send      send one report, if that is allowed
  status    whether it is on and which rule says so; collector, network, outbox
  log       the last ten bodies that were handed to a connection
  on        allow reports from this user (root: from this machine)
  off       forbid them, and delete what waits to be sent
  seal      end an image's build: forget this machine, send nothing before the next boot

facts (show, send); what is not given is detected, `show` tells from where:
  --product NAME            such as wordpress (also for status)
  --product-version VERSION such as 6.4.2-0
  --source SOURCE           vm, cloud or container
  --os-version OS           such as debian-12
  --instance-type TYPE      such as t3.micro
  --language TAG            such as pt-BR
  --license-key-stdin       read InstallBuilder's licence key from standard input
                            (or set TELEMETRY_LICENSE_KEY)
  --url URL                 the collector (also for status)

send:
  --dry-run                 the collector checks the report and stores nothing
  --timeout SECONDS         for everything together, DNS included; at most 60 (default: 8)
  --background              return at once; a process of its own sends
show:
  --reveal-key              show the licence key instead of asterisks

places (all commands):
  --state-dir DIR           where choice and outbox are kept
  --config FILE             the image's configuration file
  --root DIR                read facts and settings below DIR, as of a mounted image
  --format text|json        show, send, status and log

Nothing is sent before someone says yes: `on`, the administrator, or an image's default after a notice.
Any "off" wins. See what decides with `telemetry-client status`.
}
}

# The command and its options: command NAME --option VALUE ... (a switch's value is 1). Raises an error with the code
# {TELEMETRY USAGE} and words that repeat no value.
proc ::telemetry::arguments::parse {arguments} {
    variable commands
    variable options
    variable choices
    if {[lindex $arguments 0] in {-h --help}} {
        throw {TELEMETRY HELP} help
    }
    if {[lindex $arguments 0] eq "--version"} {
        throw {TELEMETRY VERSION} version
    }
    set rest [lassign $arguments command]
    if {$command ni $commands} {
        Wrong "the command must be one of [join $commands {, }]"
    }
    set parsed [dict create command $command]
    set misplaced {}
    set strange {}
    while {$rest ne {}} {
        set rest [lassign $rest argument]
        if {$argument in {-h --help}} {
            throw {TELEMETRY HELP} help
        }
        set has_value [regexp {^(--[^=]*)=(.*)$} $argument -> name value]
        if {!$has_value} {
            set name $argument
        }
        if {![dict exists $options $name]} {
            lappend strange [::telemetry::value::either [IsNamed $name] $name "an argument without a name"]
            continue
        }
        lassign [dict get $options $name] takes_value where
        if {!$takes_value} {
            if {$has_value} {
                Wrong "$name takes no value"
            }
            set value 1
        }
        if {$takes_value && !$has_value} {
            if {$rest eq {} || [string match --* [lindex $rest 0]]} {
                Wrong "$name needs a value"
            }
            set rest [lassign $rest value]
        }
        if {$command ni $where} {
            lappend misplaced $name
            continue
        }
        dict set parsed $name $value
        if {[dict exists $choices $name] && $value ni [dict get $choices $name]} {
            Wrong "$name must be one of [join [dict get $choices $name] {, }]"
        }
    }
    if {$strange ne {}} {
        Wrong "not understood: [join $strange] (a licence key is never an argument; see --help)"
    }
    if {$misplaced ne {}} {
        set why [expr {$command in {on off} ? ": the choice is for every product and collector" : ""}]
        Wrong "`$command` takes no [join $misplaced { and no }]$why"
    }
    CheckValues $parsed
    return $parsed
}

# A name that may be repeated: it has the form of an option, and no digit or capital as keys have. Not with one dash:
# a key may be glued to a letter.
proc ::telemetry::arguments::IsNamed {name} {
    return [regexp {^--[a-z][a-z-]*$} $name]
}

proc ::telemetry::arguments::CheckValues {parsed} {
    variable most_seconds
    if {[dict exists $parsed --timeout]} {
        set seconds [dict get $parsed --timeout]
        if {![regexp {^\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$} $seconds] || [scan $seconds %f seconds] != 1
                || $seconds <= 0} {
            Wrong "--timeout: not a number of seconds above 0"
        }
        if {$seconds > $most_seconds} {
            Wrong "--timeout: more than $most_seconds seconds"
        }
    }
    foreach name {--state-dir --config --root} {
        if {[dict exists $parsed $name] && [string first \0 [dict get $parsed $name]] >= 0} {
            Wrong "$name: a character in it that no path can have"
        }
    }
    if {[dict exists $parsed --url] && [dict get $parsed --url] ne {} && [dict get $parsed command] eq "send"} {
        set endpoint [::telemetry::endpoint::parse [dict get $parsed --url]]
        if {[dict exists $endpoint problem]} {
            Wrong "--url: [dict get $endpoint problem]"
        }
    }
    if {[dict exists $parsed --dry-run] && [dict exists $parsed --background]} {
        Wrong "--dry-run waits for the answer, which --background does not"
    }
}

proc ::telemetry::arguments::Wrong {why} {
    variable usage
    return -level 2 -code error -errorcode {TELEMETRY USAGE} "$usage\ntelemetry-client: error: $why"
}

# An option's value; empty where it was not given.
proc ::telemetry::arguments::value {parsed name {otherwise {}}} {
    return [::telemetry::value::member $parsed $name $otherwise]
}
