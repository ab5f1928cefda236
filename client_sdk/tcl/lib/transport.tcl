# One request, bounded in time whatever the network does.
#
# Invariants: certificates are always verified, end to end also through a proxy; redirects are never followed; the body
# never appears in an error; nothing raises for what the network does. An answer is: status (0 where none came) outcome
# field retry_after trouble was_handed (whether the body was handed to a connection, answered or not) content (what came,
# untrusted; empty where it is not whole).

namespace eval ::telemetry::transport {
    variable connect_ms 3000
    variable most_body 65536
}

# Posts `body` to `path` below the endpoint and returns before the deadline.
proc ::telemetry::transport::post {endpoint path body deadline proxy} {
    set headers [list "Content-Type: application/json" "Content-Length: [string length $body]"]
    return [Exchange $endpoint [list POST $path $headers $body] $deadline $proxy Explains]
}

# Gets `path` below the endpoint and returns before the deadline; nothing of this machine is in the question.
proc ::telemetry::transport::get {endpoint path deadline proxy} {
    return [Exchange $endpoint [list GET $path {} {}] $deadline $proxy IsThere]
}

proc ::telemetry::transport::Exchange {endpoint request deadline proxy wants_body} {
    set answer [dict create status 0 outcome {} field {} retry_after {} trouble {} was_handed 0 content {}]
    set channel {}
    try {
        set channel [Connected $endpoint $deadline $proxy]
        set request [Request $endpoint {*}$request]
        dict set answer was_handed 1
        ::telemetry::connecting::send $channel $request $deadline
        unset request
        set answer [dict merge $answer [Read $channel $deadline $wants_body]]
    } trap {TELEMETRY TROUBLE} {trouble} {
        dict set answer trouble $trouble
    } on error {_ options} {
        # The class alone: a text might quote what was sent or received.
        dict set answer trouble "internal error ([lindex [dict get $options -errorcode] 0])"
    } finally {
        if {$channel ne {}} {
            catch {close $channel}
        }
    }
    return $answer
}

# Connected where it is plain http; where it is https, connected and verified. The channel is closed where that fails.
proc ::telemetry::transport::Connected {endpoint deadline proxy} {
    variable connect_ms
    set whose [expr {$proxy eq {} || ![dict get $endpoint is_tls] ? "collector" : "proxy"}]
    set there [::telemetry::value::either [expr {$whose eq "proxy"}] $proxy $endpoint]
    set channel [::telemetry::connecting::connect [dict get $there host] [dict get $there port] $deadline $connect_ms $whose]
    try {
        if {$whose eq "proxy"} {
            ::telemetry::connecting::open_tunnel $channel $endpoint $proxy $deadline
        }
        if {[dict get $endpoint is_tls]} {
            ::telemetry::secure::wrap $channel [dict get $endpoint host] $deadline
        }
    } on error {why options} {
        catch {close $channel}
        return -options $options $why
    }
    return $channel
}

# No header but these leaves this machine.
proc ::telemetry::transport::Request {endpoint method path headers body} {
    return [join [list \
        "$method [dict get $endpoint base_path]$path HTTP/1.1" \
        "Host: [dict get $endpoint authority]" \
        "User-Agent: $::telemetry::user_agent" \
        {*}$headers \
        "Connection: close" \
        {} $body] \r\n]
}

proc ::telemetry::transport::Read {channel deadline wants_body} {
    variable most_body
    set answer [::telemetry::http::answer $channel $deadline $most_body ::telemetry::transport::$wants_body]
    lassign [::telemetry::http::codes [dict get $answer body]] outcome field
    return [dict create status [dict get $answer status] outcome $outcome field $field \
        retry_after [::telemetry::http::retry_after [::telemetry::http::header $answer retry-after] [clock seconds]] \
        content [::telemetry::value::either [dict get $answer is_whole] [dict get $answer body] {}]]
}

# Whether an answer of this status is shown with its codes.
proc ::telemetry::transport::Explains {status} {
    return [expr {$status ni {200 202 410}}]
}

proc ::telemetry::transport::IsThere {status} {
    return [expr {$status == 200}]
}
