# What a command prints. What cannot be printed is an error with the code {TELEMETRY OUTPUT}: whoever asked must not take
# silence for an answer.

namespace eval ::telemetry::output {}

# A result in the form that was asked for: lines for people, or one JSON object.
proc ::telemetry::output::print {parsed told lines} {
    if {[::telemetry::arguments::value $parsed --format text] eq "json"} {
        say [::telemetry::json::pretty $told]
    } else {
        say [::telemetry::text::printable [join $lines \n]]
    }
}

proc ::telemetry::output::say {text} {
    try {
        puts $text
        flush stdout
    } trap {POSIX EPIPE} {} {
        # The reader of a pipe went away: it has seen enough.
    } on error {} {
        throw {TELEMETRY OUTPUT} "the standard output cannot be written"
    }
}

proc ::telemetry::output::complain {line} {
    catch {puts stderr $line}
}
