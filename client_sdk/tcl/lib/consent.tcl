# Whether anything may be sent: a pure decision, with the rule that made it and a reason to show.
#
# Order, first match decides, every "off" before any "on":
#
#     1. administrator   telemetry = off in a configuration file, an "on" in one that others may have written, or a file
#                        that cannot be understood
#     2. variable        TELEMETRY=off (or any word that does not clearly say on)
#     3. do-not-track    DO_NOT_TRACK is set to anything but empty, 0 or false
#     4. ci              a build machine
#     5. answer          the answer a person just gave to the product's own question: no
#     6. stored          `telemetry-client off`, by this user or for the whole machine, see choices.tcl
#     7. the same places again, for on: answer, stored (in the directory in use), administrator, variable
#     8. default         default = on in a configuration file, and none says default = off
#     9. nothing         nobody has chosen: off
#
# Where no person chose on this machine (8, and the variable, which an image may carry), a one-line notice comes before
# the first send. A report whose product asks (InstallBuilder) never leaves on a default.
#
# A situation is: configuration machine choices answer (0, 1 or empty) default_counts counts_nothing.
# A decision is: is_on rule reason needs_notice.

namespace eval ::telemetry::consent {
    variable no_words {{} 0 false}
    variable ci_variables {
        CI CONTINUOUS_INTEGRATION GITHUB_ACTIONS GITLAB_CI BUILDKITE CIRCLECI TRAVIS APPVEYOR DRONE SEMAPHORE TF_BUILD
        JENKINS_URL TEAMCITY_VERSION CODEBUILD_BUILD_ID BITBUCKET_BUILD_NUMBER
    }
}

proc ::telemetry::consent::decide {situation} {
    foreach rule {ConfiguredOff VariableOff EnvironmentOff PersonOff PersonOn MachineOn} {
        set decision [$rule $situation]
        if {$decision ne {}} {
            return $decision
        }
    }
    return [Decision 0 nothing "nobody has switched it on"]
}

proc ::telemetry::consent::Decision {is_on rule reason {needs_notice 0}} {
    return [dict create is_on $is_on rule $rule reason $reason needs_notice $needs_notice]
}

proc ::telemetry::consent::ConfiguredOff {situation} {
    set configuration [dict get $situation configuration]
    foreach fact [dict get $configuration telemetry] {
        if {[lindex $fact 0] eq "off"} {
            return [Decision 0 administrator "[lindex $fact 1] says off"]
        }
    }
    foreach path [dict get $configuration foreign] {
        return [Decision 0 administrator "$path is not this user's alone"]
    }
    set problems [dict get $configuration problems]
    if {$problems ne {}} {
        return [Decision 0 administrator "[lindex $problems 0], which counts as off"]
    }
}

proc ::telemetry::consent::VariableOff {situation} {
    set stated [::telemetry::machine::variable_of [dict get $situation machine] TELEMETRY]
    set word [::telemetry::configuration::switch_word $stated]
    if {$stated ne {} && $word ne "on"} {
        set says [expr {$word eq "off" ? "says off" : "does not clearly say on"}]
        return [Decision 0 variable "the environment variable TELEMETRY $says"]
    }
}

proc ::telemetry::consent::EnvironmentOff {situation} {
    variable ci_variables
    set machine [dict get $situation machine]
    if {[IsSet $machine DO_NOT_TRACK]} {
        return [Decision 0 do-not-track "the environment variable DO_NOT_TRACK is set"]
    }
    if {[dict get $situation counts_nothing]} {
        return
    }
    foreach name $ci_variables {
        if {[IsSet $machine $name]} {
            return [Decision 0 ci "this is a build machine: $name is set"]
        }
    }
}

proc ::telemetry::consent::PersonOff {situation} {
    if {[dict get $situation answer] eq "0"} {
        return [Decision 0 answer "the answer to the product's question was no"]
    }
    foreach choice [dict get $situation choices] {
        if {![dict get $choice is_on]} {
            return [Decision 0 stored "[dict get $choice origin] [dict get $choice says]"]
        }
    }
}

proc ::telemetry::consent::PersonOn {situation} {
    if {[dict get $situation answer] eq "1"} {
        return [Decision 1 answer "the answer to the product's question was yes"]
    }
    foreach choice [dict get $situation choices] {
        if {[dict get $choice is_own]} {
            return [Decision 1 stored "[dict get $choice origin] says on"]
        }
    }
}

proc ::telemetry::consent::MachineOn {situation} {
    set configuration [dict get $situation configuration]
    foreach fact [dict get $configuration telemetry] {
        return [Decision 1 administrator "[lindex $fact 1] says on"]
    }
    if {[::telemetry::machine::variable_of [dict get $situation machine] TELEMETRY] ne {}} {
        return [Decision 1 variable "the environment variable TELEMETRY says on" 1]
    }
    set defaults [dict get $configuration default]
    if {![dict get $situation default_counts] || $defaults eq {}} {
        return
    }
    foreach fact $defaults {
        if {[lindex $fact 0] ne "on"} {
            return
        }
    }
    return [Decision 1 default "nobody has chosen, and [lindex $defaults 0 1] sets the default to on" 1]
}

proc ::telemetry::consent::IsSet {machine name} {
    variable no_words
    return [expr {[::telemetry::text::lowered [::telemetry::machine::variable_of $machine $name]] ni $no_words}]
}
