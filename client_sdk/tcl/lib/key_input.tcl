# The licence key from standard input: one line, in bounded size and time. Who writes it may do so late, or never, and
# what is longer or does not come is no key.

namespace eval ::telemetry::key_input {
    variable most_bytes 4096
}

proc ::telemetry::key_input::read {deadline} {
    variable most_bytes
    set line {}
    set turns 0
    # Without standard input there is no key.
    if {[catch {fconfigure stdin -translation binary -blocking 0}]} {
        return {}
    }
    while {![catch {::gets stdin line} length] && $length < 0} {
        # It may be long and have no end.
        if {[eof stdin] || [chan pending input stdin] > $most_bytes || ![::telemetry::waiting::pause $deadline turns]} {
            set line {}
            break
        }
    }
    # Whoever has the same input open, as a terminal's shell, does not find it changed.
    catch {fconfigure stdin -blocking 1}
    return [::telemetry::value::either [expr {[string length $line] <= $most_bytes}] [::telemetry::text::decoded $line] {}]
}
