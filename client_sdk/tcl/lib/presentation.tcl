# What `show` and `status` print: first a plain value (which is also the JSON form), then lines for people.
#
# A licence key is shown as asterisks unless the person asks for it; what is sent holds the key itself.

namespace eval ::telemetry::presentation {
    variable limits_words "no redirects, 8 s at most"
}

proc ::telemetry::presentation::Text {text} {
    return [list string $text]
}

proc ::telemetry::presentation::TextOrNull {text} {
    return [::telemetry::value::either [expr {$text eq {}}] {word null} [list string $text]]
}

proc ::telemetry::presentation::Truth {value} {
    return [list word [expr {$value ? "true" : "false"}]]
}

proc ::telemetry::presentation::Texts {texts} {
    return [list list [lmap each $texts {list string $each}]]
}

# A member of what is told, as plain text; empty for null.
proc ::telemetry::presentation::Told {told args} {
    set value [::telemetry::json::at $told $args]
    return [::telemetry::value::either [expr {$value eq {word null}}] {} [lindex $value 1]]
}

# Which version of whose policy this client was built with.
proc ::telemetry::presentation::policy {} {
    set policy [dict create]
    foreach name {id title dated url contact} {
        dict set policy $name [Text [::telemetry::permit::policy $name]]
    }
    return [list object $policy]
}

proc ::telemetry::presentation::policy_line {} {
    lassign [lmap name {title dated id url} {::telemetry::permit::policy $name}] title dated id url
    return "$title of $dated ($id), $url"
}

# Everything `show` tells about a report.
proc ::telemetry::presentation::describe_report {client report reveals_key} {
    set endpoint [::telemetry::client::endpoint $client]
    set id [dict get $report id]
    set decision [::telemetry::client::decision $client $id]
    set obstacle [::telemetry::client::obstacle $client $report]
    set is_masked [expr {[dict get $report carries_key] && !$reveals_key}]
    set body [dict get $report body]
    set permits [::telemetry::permit::fields $id]
    set fields {}
    dict for {name fact} [dict get $report entries] {
        lassign $fact value origin
        if {$is_masked && $name eq "license_key"} {
            set value $::telemetry::permit::mask
        }
        lappend fields [list object [dict create field [Text $name] value [Text $value] from [Text $origin] \
            purpose [Text [dict get $permits $name purpose]] clause [Text [dict get $permits $name clause]]]]
    }
    set left_out {}
    foreach {name why} [dict get $report left_out] {
        lappend left_out [list object [dict create field [Text $name] why [Text $why]]]
    }
    set url [::telemetry::value::member $endpoint url]
    if {$url ne {}} {
        append url [dict get $report path]
    }
    set comes_first [expr {
        [dict get $decision needs_notice] && ![::telemetry::state::notice_was_shown [dict get $client state]]
    }]
    return [list object [dict create \
        report [Text $id] \
        url [TextOrNull $url] \
        proxy [TextOrNull [::telemetry::proxy::shown [::telemetry::client::proxy $client $endpoint]]] \
        would_be_sent [Truth [expr {$obstacle eq {}}]] \
        why [Text [::telemetry::value::first $obstacle [dict get $decision reason]]] \
        notice_comes_first [Truth $comes_first] \
        fields [list list $fields] \
        left_out [list list $left_out] \
        missing [Texts [dict get $report missing]] \
        body [Text [::telemetry::value::either $is_masked [::telemetry::report::mask $body] $body]] \
        body_bytes [list number [string length $body]] \
        license_key_is_masked [Truth $is_masked] \
        policy [policy]]]
}

# `describe_report` for people.
proc ::telemetry::presentation::report_lines {told} {
    set url [Told $told url]
    lappend lines "Report         [Told $told report]" "Goes to        [::telemetry::value::first $url "nowhere yet"]"
    if {[Told $told proxy] ne {}} {
        lappend lines "Through        [Told $told proxy]"
    }
    set would [expr {[Told $told would_be_sent] ? "yes" : "no"}]
    lappend lines "Would be sent  $would: [Told $told why]" {} \
        "What is in it, where each value comes from, and what it is for"
    foreach field [Told $told fields] {
        lappend lines [format "  %-16s %s" [Told $field field] [Told $field value]] \
            [format "  %-16s   from %s" {} [Told $field from]] \
            [format "  %-16s   for  %s \[%s\]" {} [Told $field purpose] [Told $field clause]]
    }
    foreach name [Told $told missing] {
        lappend lines [format "  %-16s missing, and needed" [lindex $name 1]]
    }
    if {[Told $told left_out] ne {}} {
        lappend lines {} "What was found and is not sent"
        foreach left [Told $told left_out] {
            lappend lines [format "  %-16s %s" [Told $left field] [Told $left why]]
        }
    }
    set exact [expr {[Told $told missing] eq {} ? "exactly" : "incomplete, would not be sent"}]
    if {[Told $told license_key_is_masked]} {
        set masked "the licence key is masked here, --reveal-key shows it"
        set exact [expr {[Told $told missing] eq {} ? $masked : "$exact; $masked"}]
    }
    lappend lines {} "The body, [Told $told body_bytes] bytes ($exact; report_id is new for every report)" \
        [Told $told body] {} \
        "Headers        Host, User-Agent: $::telemetry::user_agent, Content-Type, Content-Length, Connection; no others" \
        "Policy         [policy_line]" \
        "               built into this client; `telemetry-client verify` compares it with the collector's" \
        "Contact        [Told $told policy contact]"
    return $lines
}

# Everything `status` tells.
proc ::telemetry::presentation::describe_status {client report config} {
    set endpoint [::telemetry::client::endpoint $client]
    set decision [::telemetry::client::decision $client [dict get $report id]]
    set state [dict get $client state]
    set now [dict get $client now]
    set url [::telemetry::value::member $endpoint url]
    set proxy [::telemetry::client::proxy $client $endpoint]
    set ages [::telemetry::outbox::ages [::telemetry::state::path $state outbox] $now]
    set will_be_deleted [expr {$ages ne {} && ![dict get $decision is_on]}]
    set outbox [dict create reports [list number [llength $ages]] \
        oldest_seconds [list number [expr {$ages eq {} ? 0 : [lindex $ages 0]}]] will_be_deleted [Truth $will_be_deleted]]
    set from [::telemetry::value::either [expr {$url eq {}}] {} [lindex [dict get $client configuration url] 1]]
    set wait [expr {$url eq {} ? 0 : [::telemetry::pause::seconds_to_wait $state $url $now]}]
    return [list object [dict create \
        telemetry [Text [expr {[dict get $decision is_on] ? "on" : "off"}]] \
        rule [Text [dict get $decision rule]] \
        reason [Text [dict get $decision reason]] \
        collector [TextOrNull $url] \
        collector_from [TextOrNull $from] \
        collector_problem [TextOrNull [::telemetry::value::member $endpoint problem]] \
        proxy [TextOrNull [::telemetry::proxy::shown $proxy]] \
        proxy_from [TextOrNull [::telemetry::value::member $proxy origin]] \
        proxy_problem [TextOrNull [::telemetry::value::member $proxy problem]] \
        network [Text [Network $endpoint]] \
        configuration_files [Files $client $config] \
        configuration_problems [Texts [dict get $client configuration problems]] \
        state_directory [Text $state] \
        state_is_writable [Truth [IsWritable $state]] \
        notice_was_shown [Truth [::telemetry::state::notice_was_shown $state]] \
        is_stopped [Truth [::telemetry::state::is_stopped $state]] \
        seconds_to_wait [list number $wait] \
        boot_is_reported [Truth [::telemetry::limits::boot_is_reported $client]] \
        is_sealed [Truth [::telemetry::client::is_sealed $client]] \
        reports_today [list number [::telemetry::limits::reports_today $client]] \
        last_send [LastSend $state] \
        outbox [list object $outbox]]]
}

proc ::telemetry::presentation::LastSend {state} {
    set said [::telemetry::last_send::read $state]
    if {$said eq {}} {
        return {word null}
    }
    return [list object [dict create at [Text [::telemetry::day::moment [dict get $said at]]] \
        outcome [Text [dict get $said outcome]] message [Text [dict get $said message]]]]
}

proc ::telemetry::presentation::Files {client config} {
    set hosts [lassign [::telemetry::machine::all_that_may_forbid [dict get $client machine]] machine]
    set administrator $::telemetry::configuration::administrator_file
    set files [list $machine $administrator $machine [::telemetry::configuration::image_file_of $machine $config]]
    foreach host $hosts {
        lappend files $host $administrator
    }
    set told {}
    foreach {where path} $files {
        lappend told [list object [dict create path [Text [::telemetry::machine::path $where $path]] \
            is_there [Truth [::telemetry::machine::exists $where $path]]]]
    }
    return [list list $told]
}

proc ::telemetry::presentation::Network {endpoint} {
    variable limits_words
    if {[dict exists $endpoint is_tls] && ![dict get $endpoint is_tls]} {
        return "plain http, to this machine only; $limits_words"
    }
    if {![::telemetry::secure::has_tls]} {
        return "this Tcl has no TLS: nothing can be sent to another machine"
    }
    if {[::telemetry::secure::authorities] eq {}} {
        return "no trusted certificates were found: nothing can be sent to another machine"
    }
    return "https, certificate always verified; $limits_words"
}

# Whether the state directory, or the nearest one above it that exists, lets this user write.
proc ::telemetry::presentation::IsWritable {directory} {
    while {$directory ne {} && ![file isdirectory $directory]} {
        set parent [file dirname $directory]
        if {[::telemetry::files::presence $directory] ne "missing" || $parent eq $directory} {
            return 0
        }
        set directory $parent
    }
    return [expr {$directory ne {} && [file writable $directory] && [file executable $directory]}]
}

# `describe_status` for people.
proc ::telemetry::presentation::status_lines {told} {
    set files [lmap file [Told $told configuration_files] {
        set path [Told $file path]
        append path [expr {[Told $file is_there] ? "" : " (not there)"}]
    }]
    set collector [Told $told collector_problem]
    if {[Told $told collector] ne {}} {
        set collector "[Told $told collector] ([Told $told collector_from])"
    }
    set proxy [Told $told proxy]
    set state [Told $told state_directory]
    set lines [list \
        "Telemetry      [Told $told telemetry]: [Told $told reason]" \
        "Collector      $collector"]
    if {$proxy ne {}} {
        set proxy "$proxy ([Told $told proxy_from])"
    } else {
        set proxy [Told $told proxy_problem]
    }
    lappend lines "Proxy          [::telemetry::value::first $proxy none]" \
        "Network        [Told $told network]" \
        "Configuration  [join $files ", "]"
    foreach problem [Told $told configuration_problems] {
        lappend lines "               [lindex $problem 1]"
    }
    set unwritable [expr {[Told $told state_is_writable] ? "" : " (cannot be written: nothing is remembered)"}]
    set reported [expr {[Told $told boot_is_reported] ? "; $::telemetry::limits::boot_is_reported_words" : ""}]
    set waiting [Told $told outbox reports]
    set oldest [expr {$waiting ? ", the oldest for [Told $told outbox oldest_seconds] s" : ""}]
    set deleted [expr {[Told $told outbox will_be_deleted] ? "; will be deleted, not sent" : ""}]
    lappend lines "State          [::telemetry::value::first $state nowhere]$unwritable" \
        "Notice         [expr {[Told $told notice_was_shown] ? "was shown" : "not shown so far"}]" \
        "Reports        [Told $told reports_today] made today, of $::telemetry::limits::most_a_day$reported" \
        {*}[LastSendLine $told] \
        "Outbox         $waiting waiting$oldest$deleted"
    if {[Told $told seconds_to_wait]} {
        lappend lines "Left alone     the collector, for another [Told $told seconds_to_wait] s"
    }
    if {[Told $told is_sealed]} {
        lappend lines "Sealed         $::telemetry::sealing::words"
    }
    if {[Told $told is_stopped]} {
        lappend lines "Stopped        $::telemetry::delivery::stopped_words"
    }
    return $lines
}

proc ::telemetry::presentation::LastSendLine {told} {
    if {[Told $told last_send] eq {}} {
        return {}
    }
    set moment [string map {T { }} [Told $told last_send at]]
    return [list "Last send      $moment  [Told $told last_send message]"]
}
