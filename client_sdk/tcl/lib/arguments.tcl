# The arguments of the command line.
#
# A licence key is never an argument, because arguments show in process lists and shell histories; and an argument that is
# not understood is not repeated, because it may be one.

namespace eval ::telemetry::arguments {
    variable most_seconds 60
    # Each option: whether a value follows it, and which commands take it.
    variable options {
        --product {1 {show verify send status}} --product-version {1 {show send}} --source {1 {show send}}
        --os-version {1 {show send}} --instance-type {1 {show send}} --language {1 {show send}}
        --license-key-stdin {0 {show send}} --url {1 {show verify send status}}
        --dry-run {0 send} --timeout {1 {verify send}} --background {0 send} --reveal-key {0 show}
        --format {1 {show verify send status log}}
        --state-dir {1 {show verify send status log on off seal}} --config {1 {show verify send status log on off seal}}
        --root {1 {show verify send status log on off seal}}
    }
    variable commands {show verify send status log on off seal}
    variable choices {--source {vm cloud container} --format {text json}}
    variable usage "usage: telemetry-client COMMAND \[OPTION ...\]; see telemetry-client --help"
}

# The command and its options: command NAME --option VALUE ... (a switch's value is 1). Raises an error with the code
# {TELEMETRY USAGE} and words that repeat no value. A wish for help is {TELEMETRY HELP COMMAND}, one for the version
# {TELEMETRY VERSION}.
proc ::telemetry::arguments::parse {arguments} {
    variable commands
    variable options
    variable choices
    if {[lindex $arguments 0] in {-h --help}} {
        throw {TELEMETRY HELP {}} help
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
            throw [list TELEMETRY HELP $command] help
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

# Whether `command` takes the option `name`.
proc ::telemetry::arguments::takes {command name} {
    variable options
    return [expr {$name eq "--help" || $command in [lindex [dict get $options $name] 1]}]
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
    # From the current directory, and `~` is a name like any other.
    if {[dict exists $parsed --root] && ([dict get $parsed --root] eq {}
            || ![file isdirectory [::telemetry::files::absolute [dict get $parsed --root]]])} {
        Wrong "--root: not a directory"
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
