# How often a report is made: once per boot, and ten times a day, in one state directory.
#
#     last-boot     boot = BOOT                               0644
#     today         day = 2026-11-26, reports = 3  (UTC)      0644
#
# What is not there, or cannot be written, does not limit. A dry run is neither limited nor counted.

namespace eval ::telemetry::limits {
    variable most_a_day 10
    variable boot_is_reported_words "this boot was reported already"
    variable day_is_full_words "ten reports were made today, which is the limit"
}

# The limit that keeps this kind of report from being made, in words; empty where none does.
proc ::telemetry::limits::reached {client report_id} {
    variable most_a_day
    variable boot_is_reported_words
    variable day_is_full_words
    if {$report_id eq $::telemetry::permit::image_boot && [boot_is_reported $client]} {
        return $boot_is_reported_words
    }
    return [expr {[reports_today $client] >= $most_a_day ? $day_is_full_words : ""}]
}

proc ::telemetry::limits::boot_is_reported {client} {
    set boot [dict get $client boot]
    return [expr {$boot ne {} && [::telemetry::state::value [dict get $client state] last-boot boot] eq $boot}]
}

proc ::telemetry::limits::reports_today {client} {
    set values [::telemetry::state::values [dict get $client state] today]
    if {[::telemetry::assignments::value $values day] ne [::telemetry::day::of [dict get $client now]]} {
        return 0
    }
    return [::telemetry::text::whole_number [::telemetry::assignments::value $values reports]]
}

# Remembers that one was made.
proc ::telemetry::limits::remember {client report_id} {
    set state [dict get $client state]
    set boot [dict get $client boot]
    if {$report_id eq $::telemetry::permit::image_boot && $boot ne {}} {
        ::telemetry::state::try_write $state last-boot "boot = $boot\n" 0644
    }
    set reports [expr {[reports_today $client] + 1}]
    set day [::telemetry::day::of [dict get $client now]]
    ::telemetry::state::try_write $state today "day = $day\nreports = $reports\n" 0644
}
