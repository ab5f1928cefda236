# What administrator and image have set: two files of KEY=value lines.
#
#     /etc/telemetry-client/config    the administrator's; no package ever writes it
#     /etc/telemetry-client/image     the image's, or the file a product names (--config, TELEMETRY_CONFIG)
#
#     telemetry = on|off    a choice for the whole machine
#     default = on|off      what holds while nobody has chosen; an image may say on
#     url = https://...     the collector
#     proxy = http://...    the way there, or none, see proxy.tcl
#
# Both files are heard: the administrator's url and proxy win, and any "off" wins over any "on". A file that cannot be
# read, or a line that is not understood, counts as off: it may have been meant to be one. Where another tree is looked
# at with `--root`, the administrator of the machine that does the looking may forbid, and no more.
#
# A configuration is: url FACT proxy FACT telemetry {FACT ...} default {FACT ...} foreign {PATH ...} problems {TEXT ...}.
# foreign: files that say "on" and that somebody else may have written, which is not heard.

namespace eval ::telemetry::configuration {
    variable administrator_file /etc/telemetry-client/config
    variable image_file /etc/telemetry-client/image
    variable on_words {on 1 true yes enabled}
    variable off_words {off 0 false no disabled}
    variable nothing {url {} proxy {} telemetry {} default {} foreign {} problems {}}
}

# on or off for a word that says so; empty for any other.
proc ::telemetry::configuration::switch_word {word} {
    variable on_words
    variable off_words
    set plain [::telemetry::text::lowered [::telemetry::text::stripped $word]]
    if {$plain in $on_words} {
        return on
    }
    return [expr {$plain in $off_words ? "off" : ""}]
}

# The image's file: as given, else what TELEMETRY_CONFIG says, else the usual one.
proc ::telemetry::configuration::image_file_of {machine given} {
    variable image_file
    set stated [::telemetry::machine::raw_variable $machine TELEMETRY_CONFIG]
    return [::telemetry::value::first $given [::telemetry::value::first $stated $image_file]]
}

# The settings of this machine; a `url` given by the caller comes before all others.
proc ::telemetry::configuration::read {machine {url {}} {given_file {}}} {
    variable administrator_file
    variable nothing
    set found $nothing
    if {$url ne {}} {
        dict set found url [list $url "given by the caller"]
    }
    foreach {name key} {TELEMETRY_URL url TELEMETRY_PROXY proxy} {
        set stated [::telemetry::machine::variable_of $machine $name]
        if {$stated ne {} && [dict get $found $key] eq {}} {
            dict set found $key [list $stated "environment $name"]
        }
    }
    set found [ReadFile $machine $administrator_file $found]
    set found [ReadFile $machine [image_file_of $machine $given_file] $found]
    foreach host [lrange [::telemetry::machine::all_that_may_forbid $machine] 1 end] {
        set other [ReadFile $host $administrator_file $nothing]
        foreach key {telemetry default} {
            foreach fact [dict get $other $key] {
                if {[lindex $fact 0] eq "off"} {
                    dict lappend found $key $fact
                }
            }
        }
        dict lappend found problems {*}[dict get $other problems]
    }
    return $found
}

proc ::telemetry::configuration::ReadFile {machine path found} {
    # Told as it lies on the disk, so that an image's file and this machine's own are not mixed up.
    set shown [::telemetry::machine::path $machine $path]
    lassign [::telemetry::machine::read $machine $path] is_read text
    if {!$is_read} {
        if {[::telemetry::machine::may_exist $machine $path]} {
            dict lappend found problems "$shown cannot be read"
        }
        return $found
    }
    set heard [llength [SaysOn $found]]
    foreach {number key value} [::telemetry::assignments::read $text] {
        if {![Take [::telemetry::text::lowered $key] $value "$shown line $number" found]} {
            dict lappend found problems "$shown line $number is not understood"
        }
    }
    if {[llength [SaysOn $found]] > $heard && ![::telemetry::ownership::is_alone $shown]} {
        dict lappend found foreign $shown
    }
    return $found
}

# Every "on" so far.
proc ::telemetry::configuration::SaysOn {found} {
    return [lsearch -all -exact -index 0 [concat [dict get $found telemetry] [dict get $found default]] on]
}

proc ::telemetry::configuration::Take {key value origin foundName} {
    upvar 1 $foundName found
    if {$key in {url proxy}} {
        if {$value eq {}} {
            # An empty proxy says no more than a line that is not there.
            return [expr {$key eq "proxy"}]
        }
        if {[dict get $found $key] eq {}} {
            dict set found $key [list $value $origin]
        }
        return 1
    }
    # Not `switch`, for which the word default is none of the keys.
    set word [switch_word $value]
    if {$key ni {telemetry default} || $word eq {}} {
        return 0
    }
    dict lappend found $key [list $word $origin]
    return 1
}
