# Reports that wait to be sent again: one file each, in `outbox/` of the state directory.
#
# Name: `SECONDS-REPORT_ID.json`, where SECONDS is the time of the report in at least ten digits, so that names sort by
# age. Content, byte for byte, without a line end:
#
#     {"format":1,"report":"image-boot/1","url":"https://...","body":"{...}"}
#
# `url` is the collector it was meant for, and `body` the exact bytes as text. Either client sends what the other left.
# Directory 0700, files 0600, each written whole.
#
# Invariants: at most 16 reports (the oldest goes) and none older than 7 days, because the collector remembers ids for
# 14; a report with a licence key is never here; a report goes only to the url it was made for; what is not byte for byte
# what a client would have written, or is no longer permitted by the client that finds it, is removed and not sent.

namespace eval ::telemetry::outbox {
    variable most_reports 16
    variable most_age [expr {7 * 24 * 3600}]
    variable most_bytes 65536
    variable abandoned_after 3600
    variable name_form {^([0-9]{10,12})-([0-9a-f-]{36})\.json$}
}

# Keeps a report; its name, or an empty text where it cannot be kept.
proc ::telemetry::outbox::put {directory report url now} {
    if {[dict get $report carries_key]} {
        error "a report with a licence key is never kept"
    }
    set name [format %010lld $now]-[lindex [dict get $report entries report_id] 0].json
    if {[catch {
        RemoveLink $directory
        ::telemetry::files::make_directory $directory 0700
        ::telemetry::files::permit_directory $directory 0700
        ::telemetry::files::write $directory/$name [Encode [dict get $report id] $url [dict get $report body]] 0600
    }]} {
        return {}
    }
    tidy $directory $now
    return $name
}

# Forgets one report; an empty name is no report.
proc ::telemetry::outbox::remove {directory name} {
    if {$name ne {}} {
        ::telemetry::files::remove $directory/$name
    }
}

# Forgets everything; how many reports that were.
proc ::telemetry::outbox::clear {directory} {
    RemoveLink $directory
    set names [names $directory]
    foreach name [concat $names [Temporary $directory]] {
        remove $directory $name
    }
    return [expr {[llength $names] - [llength [names $directory]]}]
}

# The names of all waiting reports, oldest first.
proc ::telemetry::outbox::names {directory} {
    variable name_form
    set found [lmap name [Names $directory *.json] {
        if {![regexp $name_form $name]} continue
        set name
    }]
    return [lsort $found]
}

# How long each has waited, in seconds, oldest first.
proc ::telemetry::outbox::ages {directory now} {
    return [lmap name [names $directory] {expr {max(0, $now - [MadeAt $name])}}]
}

# Drops what is too old or too much, and temporary files a power cut left behind.
proc ::telemetry::outbox::tidy {directory now} {
    variable most_reports
    variable most_age
    variable abandoned_after
    set names [names $directory]
    set surplus [lrange $names 0 end-$most_reports]
    foreach name $names {
        # The distance counts, not its sign: a clock that was years ahead must not keep it for years.
        if {$name in $surplus || abs($now - [MadeAt $name]) > $most_age} {
            remove $directory $name
        }
    }
    foreach name [Temporary $directory] {
        if {![catch {file mtime $directory/$name} changed] && abs($now - $changed) > $abandoned_after} {
            remove $directory $name
        }
    }
}

# The report in this file: name, report, path, url and body; empty where it is gone. One that is not what a client would
# have written, or from before `made_since` (the consent), is dropped.
proc ::telemetry::outbox::entry {directory name made_since} {
    variable most_bytes
    lassign [::telemetry::files::read_own_bytes $directory/$name $most_bytes] is_read text
    set entry {}
    if {$is_read && [MadeAt $name] >= $made_since} {
        set entry [Parsed $name $text]
    }
    if {$entry eq {}} {
        remove $directory $name
    }
    return $entry
}

# A link in the place of the outbox is none: what lies behind it is somebody else's.
proc ::telemetry::outbox::RemoveLink {directory} {
    if {[::telemetry::files::is_link $directory]} {
        ::telemetry::files::remove $directory
    }
}

proc ::telemetry::outbox::Names {directory pattern} {
    if {[::telemetry::files::is_link $directory]} {
        return {}
    }
    return [::telemetry::files::names $directory $pattern]
}

proc ::telemetry::outbox::Temporary {directory} {
    return [Names $directory $::telemetry::files::temporary_prefix*]
}

proc ::telemetry::outbox::MadeAt {name} {
    variable name_form
    return [expr {[regexp $name_form $name -> seconds] ? [::telemetry::text::whole_number $seconds] : 0}]
}

proc ::telemetry::outbox::Encode {report url body} {
    return [::telemetry::json::compact [list object [dict create format {number 1} report [list string $report] \
        url [list string $url] body [list string $body]]]]
}

# The report in an outbox file; empty where that is not one which a client would have written.
proc ::telemetry::outbox::Parsed {name text} {
    variable name_form
    if {[catch {
        set entry [::telemetry::json::parse $text]
        set report [::telemetry::json::text [::telemetry::json::at $entry report]]
        set url [::telemetry::json::text [::telemetry::json::at $entry url]]
        set values [dict create]
        dict for {field value} [lindex [::telemetry::json::parse [::telemetry::json::text [::telemetry::json::at $entry body]]] 1] {
            dict set values $field [::telemetry::json::text $value]
        }
        set body [::telemetry::report::encode $values]
    }] || [dict exists $values license_key] || ![::telemetry::permit::allows $report $values]
        || [Encode $report $url $body] ne $text} {
        return {}
    }
    set endpoint [::telemetry::endpoint::parse $url]
    set id [::telemetry::value::member $values report_id]
    regexp $name_form $name -> _ named
    if {![dict exists $endpoint url] || [dict get $endpoint url] ne $url || $named ne $id} {
        return {}
    }
    return [dict create name $name report $report path [dict get [::telemetry::permit::report $report] path] url $url body $body]
}
