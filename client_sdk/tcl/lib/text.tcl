# What a line and a blank are, the same for every client whatever language it is written in.
#
# Lines end with LF alone. Blank, tab, CR, VT and FF are taken away at either end; no other white space is. Upper and
# lower case are those of ASCII: Tcl's own commands know of more in each case. What is not UTF-8 becomes U+FFFD.

namespace eval ::telemetry::text {
    variable lower {}
    variable upper {}
    foreach small {a b c d e f g h i j k l m n o p q r s t u v w x y z} {
        set large [string toupper $small]
        lappend lower $large $small
        lappend upper $small $large
    }
    unset small large
    # One character of UTF-8 as bytes; what no alternative but the last takes is no UTF-8.
    variable utf8 {[\u0000-\u007f]+|[\u00c2-\u00df][\u0080-\u00bf]|\u00e0[\u00a0-\u00bf][\u0080-\u00bf]|[\u00e1-\u00ec\u00ee\u00ef][\u0080-\u00bf]{2}|\u00ed[\u0080-\u009f][\u0080-\u00bf]|\u00f0[\u0090-\u00bf][\u0080-\u00bf]{2}|[\u00f1-\u00f3][\u0080-\u00bf]{3}|\u00f4[\u0080-\u008f][\u0080-\u00bf]{2}|.}
}

proc ::telemetry::text::stripped {text} {
    return [string trim $text " \t\r\v\f"]
}

proc ::telemetry::text::lowered {text} {
    variable lower
    return [string map $lower $text]
}

proc ::telemetry::text::raised {text} {
    variable upper
    return [string map $upper $text]
}

# The lines of `text`, each without blanks at its ends.
proc ::telemetry::text::split_lines {text} {
    return [lmap line [split $text \n] {stripped $line}]
}

proc ::telemetry::text::first_line {text} {
    return [stripped [lindex [split $text \n] 0]]
}

# Whether `text` is one or more of the digits 0 to 9.
proc ::telemetry::text::is_number {text} {
    return [regexp {^[0-9]+$} $text]
}

# The number that `text` is; 0 where it is none, or longer than any time or count here.
proc ::telemetry::text::whole_number {text} {
    if {![regexp {^[0-9]{1,12}$} $text]} {
        return 0
    }
    # Not expr on the text itself: a leading zero would make it octal.
    scan $text %lld number
    return $number
}

# `text` without what moves a terminal's cursor.
proc ::telemetry::text::printable {text} {
    return [regsub -all {[\u0000-\u0009\u000b-\u001f\u007f-\u009f]} $text ?]
}

# The text that these bytes are.
proc ::telemetry::text::decoded {bytes} {
    variable utf8
    if {![regexp {[^\u0000-\u007f]} $bytes]} {
        return $bytes
    }
    set text {}
    foreach part [regexp -all -inline -- $utf8 $bytes] {
        if {[string length $part] == 1 && [scan $part %c] > 127} {
            append text \ufffd
        } else {
            append text [encoding convertfrom utf-8 $part]
        }
    }
    return $text
}

proc ::telemetry::text::encoded {text} {
    return [encoding convertto utf-8 $text]
}
