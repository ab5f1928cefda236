# The stored choices of every place that concerns this user, and how one `on` or `off` reaches them.
#
# Places: the state directory in use; this user's default places (for root the machine's); the machine's; and, where
# another tree is looked at with `--root`, those of the machine that does the looking.
#
# Invariants: an `off` in any of them counts, whatever directory a sender uses, so `off` is written to all that are this
# user's; an `on` counts in the directory in use alone, because it may have been meant for one product.

namespace eval ::telemetry::choices {
    # For a sender that is at work while it is forbidden.
    variable most_ms 1000
}

# used, read_by_all, and the directories of defaults and machines.
proc ::telemetry::choices::places {machine used} {
    set defaults [::telemetry::state::default_directories $machine]
    set systems [lmap each [::telemetry::machine::all_that_may_forbid $machine] {
        ::telemetry::machine::path $each $::telemetry::state::system_directory
    }]
    return [dict create used $used read_by_all [lindex $defaults end] defaults [Others $defaults [list $used]] \
        machines [Others $systems [concat [list $used] $defaults]]]
}

# The places that are this user's: the one in use, and the default ones.
proc ::telemetry::choices::own {places} {
    return [lmap each [concat [list [dict get $places used]] [dict get $places defaults]] {
        if {$each eq {}} continue
        set each
    }]
}

# Every place that a sender of this user looks into.
proc ::telemetry::choices::read {places} {
    return [concat [own $places] [dict get $places machines]]
}

# What is stored, the place in use first.
proc ::telemetry::choices::stored {places} {
    set found {}
    set is_own 1
    foreach directory [concat [list [dict get $places used]] [dict get $places defaults] [dict get $places machines]] {
        set choice [::telemetry::state::choice $directory $is_own]
        if {$choice ne {}} {
            lappend found $choice
        }
        set is_own 0
    }
    return $found
}

# Forbids it in every place of this user, and forgets what waits there.
# What became of it: stored, lifted, failed (files, with the reason), forgotten (reports), reaches_all.
proc ::telemetry::choices::switch_off {places now} {
    set own [own $places]
    if {$own eq {}} {
        set own [list [dict get $places used]]
    }
    set chosen [dict create stored {} lifted {} failed {} forgotten 0 reaches_all 0]
    # First stored, then forgotten: a sender that is at work here asks once more before each report.
    foreach directory $own {
        if {[catch {::telemetry::state::choose $directory off $now} _ options]} {
            dict lappend chosen failed [Failure $directory $options]
            continue
        }
        dict lappend chosen stored [::telemetry::state::path $directory consent]
        if {[IsSame $directory [dict get $places read_by_all]]} {
            dict set chosen reaches_all 1
        }
    }
    dict set chosen forgotten [Forget $own]
    return $chosen
}

# Deletes what waits in these places, and again when a sender that is at work there is done; how many reports that were.
proc ::telemetry::choices::Forget {directories} {
    variable most_ms
    set deadline [::telemetry::waiting::deadline $most_ms]
    set forgotten 0
    foreach directory $directories {
        incr forgotten [::telemetry::outbox::clear [::telemetry::state::path $directory outbox]]
    }
    foreach directory $directories {
        ::telemetry::lock::wait_for_sender $directory [::telemetry::waiting::remaining $deadline]
        incr forgotten [::telemetry::outbox::clear [::telemetry::state::path $directory outbox]]
    }
    return $forgotten
}

# Allows it in the place in use, and lifts this user's own offs, which would win over it. A second `on` changes nothing:
# what waits since the first was made with consent.
proc ::telemetry::choices::switch_on {places now} {
    set used [dict get $places used]
    set current [::telemetry::state::choice $used]
    set offs [lmap each [dict get $places defaults] {
        if {![SaysOff $each]} continue
        set each
    }]
    set stored [list [::telemetry::state::path $used consent]]
    set chosen [dict create stored $stored lifted {} failed {} forgotten 0 reaches_all 0]
    if {$current ne {} && [dict get $current is_on] && $offs eq {}} {
        return $chosen
    }
    dict set chosen forgotten [::telemetry::outbox::clear [::telemetry::state::path $used outbox]]
    if {[catch {::telemetry::state::choose $used on $now} _ options]} {
        dict set chosen stored {}
        dict set chosen failed [list [Failure $used $options]]
        return $chosen
    }
    # Lifted last: where something fails on the way, the off is what is left.
    foreach directory $offs {
        ::telemetry::state::remove $directory consent
        if {![SaysOff $directory]} {
            dict lappend chosen lifted [::telemetry::state::path $directory consent]
        }
    }
    return $chosen
}

proc ::telemetry::choices::SaysOff {directory} {
    set choice [::telemetry::state::choice $directory]
    return [expr {$choice ne {} && ![dict get $choice is_on]}]
}

proc ::telemetry::choices::Failure {directory options} {
    set path [::telemetry::state::path $directory consent]
    if {[dict get $options -errorcode] eq "TELEMETRY FOREIGN"} {
        return "$path is not this user's alone"
    }
    set why [::telemetry::files::reason $options]
    return [::telemetry::value::either [expr {$directory eq {}}] $why "$path: $why"]
}

proc ::telemetry::choices::IsSame {one other} {
    return [expr {$one ne {} && $other ne {} && [::telemetry::files::real $one] eq [::telemetry::files::real $other]}]
}

# Each of `places` once, without those that are known; two spellings of one directory are one place.
proc ::telemetry::choices::Others {places known} {
    set seen {}
    foreach place $known {
        if {$place ne {}} {
            lappend seen [::telemetry::files::real $place]
        }
    }
    set others {}
    foreach place $places {
        set real [::telemetry::files::real $place]
        if {$real ni $seen} {
            lappend seen $real
            lappend others $place
        }
    }
    return $others
}
