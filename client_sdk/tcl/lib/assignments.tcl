# KEY=value lines, as in os-release, locale.conf and this client's own files: parsed, never sourced.
#
# Blank lines and lines that start with `#` are skipped; blanks around `=` are allowed; a value may be in POSIX shell
# quotes. Nothing is expanded: `$HOME` and backquotes are ordinary characters.

namespace eval ::telemetry::assignments {
    variable line {^(?:export[ \t\r\v\f]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t\r\v\f]*=[ \t\r\v\f]*(.*)$}
    # The parts of a word: bare characters, a character after a backslash, text in single or double quotes.
    variable part {\A(?:[^ \t\r\v\f'"\\]+|\\.|'[^']*'|"(?:[^"\\]|\\.)*")}
}

# Every line of `text` that is not blank and not a comment: {NUMBER KEY VALUE ...}. A line that is none has no key.
proc ::telemetry::assignments::read {text} {
    variable line
    set found {}
    set number 0
    foreach written [split $text \n] {
        incr number
        set written [::telemetry::text::stripped $written]
        if {$written eq {} || [string index $written 0] eq "#"} {
            continue
        }
        if {[regexp $line $written -> key value] && [Unquoted $value meant]} {
            lappend found $number $key [::telemetry::text::stripped $meant]
        } else {
            lappend found $number {} {}
        }
    }
    return $found
}

# The last value of each key; broken lines are left out.
proc ::telemetry::assignments::last_values {text} {
    set values [dict create]
    foreach {_number key value} [read $text] {
        if {$key ne {}} {
            dict set values $key $value
        }
    }
    return $values
}

# One value of those, empty where it is not there.
proc ::telemetry::assignments::value {values key} {
    return [::telemetry::value::member $values $key]
}

# What a shell would assign, without expanding; 0 where quotes do not close or words are left over.
proc ::telemetry::assignments::Unquoted {written meantName} {
    variable part
    upvar 1 $meantName meant
    set meant {}
    set at 0
    while {$at < [string length $written]} {
        if {![regexp -indices -start $at $part $written found]} {
            return 0
        }
        append meant [Meant [string range $written {*}$found]]
        set at [expr {[lindex $found 1] + 1}]
    }
    return 1
}

proc ::telemetry::assignments::Meant {part} {
    switch -exact -- [string index $part 0] {
        ' {return [string range $part 1 end-1]}
        \" {return [regsub -all {\\([$`"\\])} [string range $part 1 end-1] {\1}]}
        \\ {return [string range $part 1 end]}
    }
    return $part
}

# `text` as a word of a shell.
proc ::telemetry::assignments::quoted {text} {
    if {[regexp {^[A-Za-z0-9_@%+=:,./-]+$} $text]} {
        return $text
    }
    return '[string map [list ' '\"'\"'] $text]'
}
