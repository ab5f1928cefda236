# JSON, read and written. A value is a list of its kind and its content, so that "1" and 1 are told apart:
#
#     {string TEXT} {number TEXT} {word true|false|null} {list {VALUE ...}} {object {NAME VALUE ...}}
#
# What is written is ASCII. Nothing that is read is ever evaluated.

namespace eval ::telemetry::json {
    variable most_levels 200
    variable escapes [dict create b \b f \f n \n r \r t \t \" \" \\ \\ / /]
    variable plain {\A"([^"\\\u0000-\u001f]*)"}
    variable quoted {\A"((?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*)"}
    variable digits {\A-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?}
}

# The value that `text` is. Raises an error where it is none.
proc ::telemetry::json::parse {text} {
    set at 0
    set value [Value $text at 0]
    Skip $text at
    if {$at != [string length $text]} {
        error "more than one value"
    }
    return $value
}

# What stands at these names, one within the other, as a value; empty where nothing does.
proc ::telemetry::json::at {value names} {
    foreach name $names {
        if {[lindex $value 0] ne "object" || ![dict exists [lindex $value 1] $name]} {
            return {}
        }
        set value [dict get [lindex $value 1] $name]
    }
    return $value
}

# The text that `value` is; empty where it is none.
proc ::telemetry::json::text {value} {
    return [::telemetry::value::either [expr {[lindex $value 0] eq "string"}] [lindex $value 1] {}]
}

proc ::telemetry::json::Skip {text atName} {
    upvar 1 $atName at
    if {[regexp -indices -start $at {\A[ \t\r\n]+} $text found]} {
        set at [expr {[lindex $found 1] + 1}]
    }
}

proc ::telemetry::json::Value {text atName level} {
    variable most_levels
    variable digits
    upvar 1 $atName at
    if {$level > $most_levels} {
        error "too deep"
    }
    Skip $text at
    switch -exact -- [string index $text $at] {
        \{ {return [list object [Object $text at $level]]}
        \[ {return [list list [List $text at $level]]}
        \" {return [list string [String $text at]]}
    }
    if {[regexp -indices -start $at $digits $text found]} {
        set kind number
    } elseif {[regexp -indices -start $at {\A(?:true|false|null)} $text found]} {
        set kind word
    } else {
        error "no value"
    }
    set at [expr {[lindex $found 1] + 1}]
    return [list $kind [string range $text {*}$found]]
}

proc ::telemetry::json::Object {text atName level} {
    upvar 1 $atName at
    set members [dict create]
    incr at
    Skip $text at
    if {[string index $text $at] eq "\}"} {
        incr at
        return $members
    }
    while 1 {
        Skip $text at
        set name [String $text at]
        Skip $text at
        if {[string index $text $at] ne ":"} {
            error "no colon"
        }
        incr at
        dict set members $name [Value $text at [expr {$level + 1}]]
        if {[Ends $text at "\}"]} {
            return $members
        }
    }
}

proc ::telemetry::json::List {text atName level} {
    upvar 1 $atName at
    set values {}
    incr at
    Skip $text at
    if {[string index $text $at] eq "\]"} {
        incr at
        return $values
    }
    while 1 {
        lappend values [Value $text at [expr {$level + 1}]]
        if {[Ends $text at "\]"]} {
            return $values
        }
    }
}

# Whether `end` follows, or a comma; steps over it.
proc ::telemetry::json::Ends {text atName end} {
    upvar 1 $atName at
    Skip $text at
    set found [string index $text $at]
    incr at
    if {$found eq $end} {
        return 1
    }
    if {$found ne ","} {
        error "no comma"
    }
    return 0
}

proc ::telemetry::json::String {text atName} {
    variable plain
    variable quoted
    upvar 1 $atName at
    if {[regexp -indices -start $at $plain $text all inner]} {
        set at [expr {[lindex $all 1] + 1}]
        return [string range $text {*}$inner]
    }
    if {![regexp -indices -start $at $quoted $text all inner]} {
        error "no string"
    }
    set at [expr {[lindex $all 1] + 1}]
    return [Unescaped [string range $text {*}$inner]]
}

proc ::telemetry::json::Unescaped {written} {
    variable escapes
    set text {}
    set from 0
    while {[set next [string first \\ $written $from]] >= 0} {
        append text [string range $written $from [expr {$next - 1}]]
        set letter [string index $written [expr {$next + 1}]]
        if {$letter eq "u"} {
            scan [string range $written [expr {$next + 2}] [expr {$next + 5}]] %x code
            append text [format %c $code]
            set from [expr {$next + 6}]
        } else {
            append text [dict get $escapes $letter]
            set from [expr {$next + 2}]
        }
    }
    return [append text [string range $written $from end]]
}

proc ::telemetry::json::quote {text} {
    set text [string map [list \\ \\\\ \" \\\" \n \\n \r \\r \t \\t \b \\b \f \\f] $text]
    if {![regexp {[^\u0020-\u007f]} $text]} {
        return "\"$text\""
    }
    set quoted {}
    foreach part [regexp -all -inline {[\u0020-\u007f]+|[^\u0020-\u007f]} $text] {
        if {[regexp {^[\u0020-\u007f]} $part]} {
            append quoted $part
            continue
        }
        scan $part %c code
        if {$code > 0xffff} {
            incr code -0x10000
            append quoted [format \\u%04x [expr {0xd800 + ($code >> 10)}]]
            set code [expr {0xdc00 + ($code & 0x3ff)}]
        }
        append quoted [format \\u%04x $code]
    }
    return "\"$quoted\""
}

# `value` in one line without blanks.
proc ::telemetry::json::compact {value} {
    return [Written $value , : {} {}]
}

# `value` for people, one member a line.
proc ::telemetry::json::pretty {value} {
    return [Written $value , ": " \n {  }]
}

proc ::telemetry::json::Written {value comma colon newline indent} {
    lassign $value kind content
    switch -exact -- $kind {
        string {return [quote $content]}
        list {
            set parts [lmap each $content {Written $each $comma $colon $newline $indent}]
            set around {[ ]}
        }
        object {
            set parts {}
            dict for {name each} $content {
                lappend parts [quote $name]$colon[Written $each $comma $colon $newline $indent]
            }
            set around {\{ \}}
        }
        default {return $content}
    }
    lassign $around before after
    if {$newline eq {} || [llength $parts] == 0} {
        return $before[join $parts $comma]$after
    }
    # A quoted text holds no line end, so this moves nothing but the layout.
    set inner [string map [list \n \n$indent] [join $parts $comma\n]]
    return $before\n$indent$inner\n$after
}
