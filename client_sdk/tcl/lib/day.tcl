# Days and times of UTC by arithmetic: Tcl's own `clock format` and `clock scan` load time zones and message files first.

namespace eval ::telemetry::day {
    variable months {Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec}
}

# The day of a moment in seconds since 1970: 2026-11-26.
proc ::telemetry::day::of {seconds} {
    # Years that begin in March, in eras of 400 years.
    set days [expr {$seconds / 86400 + 719468}]
    set era [expr {$days / 146097}]
    set day_of_era [expr {$days - $era * 146097}]
    set year_of_era [expr {($day_of_era - $day_of_era / 1460 + $day_of_era / 36524 - $day_of_era / 146096) / 365}]
    set day_of_year [expr {$day_of_era - (365 * $year_of_era + $year_of_era / 4 - $year_of_era / 100)}]
    set month [expr {(5 * $day_of_year + 2) / 153}]
    set day [expr {$day_of_year - (153 * $month + 2) / 5 + 1}]
    set year [expr {$year_of_era + $era * 400 + ($month >= 10)}]
    return [format %04d-%02d-%02d $year [expr {$month < 10 ? $month + 3 : $month - 9}] $day]
}

# The moment as 2026-11-26T18:54:00Z, or with a blank between day and time.
proc ::telemetry::day::moment {seconds {between T}} {
    set rest [expr {$seconds % 86400}]
    return [of $seconds]$between[format %02d:%02d:%02dZ [expr {$rest / 3600}] [expr {$rest / 60 % 60}] [expr {$rest % 60}]]
}

# Seconds since 1970 of a date as HTTP writes it (`Thu, 26 Nov 2026 18:54:00 GMT`); empty where that is none.
proc ::telemetry::day::of_http {text} {
    variable months
    set form {^[A-Za-z]{3}, ([0-9]{1,2}) ([A-Za-z]{3}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) (?:GMT|UTC)$}
    if {![regexp $form $text -> day name year hour minute second]} {
        return {}
    }
    set month [lsearch -exact $months [string totitle $name]]
    foreach number {day year hour minute second} {
        scan [set $number] %d $number
    }
    if {$month < 0 || $day < 1 || $day > 31 || $hour > 23 || $minute > 59 || $second > 60} {
        return {}
    }
    set shifted [expr {($month + 10) % 12}]
    set year [expr {$year - ($shifted >= 10)}]
    set days [expr {365 * $year + $year / 4 - $year / 100 + $year / 400 + (153 * $shifted + 2) / 5 + $day - 1 - 719468}]
    return [expr {$days * 86400 + $hour * 3600 + $minute * 60 + $second}]
}
