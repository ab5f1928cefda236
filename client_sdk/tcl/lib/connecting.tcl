# A TCP connection, and the way through a proxy; bounded in time whatever the network does.
#
# What goes wrong is an error with the code {TELEMETRY TROUBLE} and words for a person, which hold nothing that was sent
# or received.

namespace eval ::telemetry::connecting {
    variable most_proxy_answer 16384
}

proc ::telemetry::connecting::fail {why} {
    return -code error -errorcode {TELEMETRY TROUBLE} $why
}

# Waits for a moment; it fails where there is no time left.
proc ::telemetry::connecting::wait {deadline turnsName} {
    upvar 1 $turnsName turns
    if {![::telemetry::waiting::pause $deadline turns]} {
        return -code error -errorcode {TELEMETRY TROUBLE} "no answer in time"
    }
}

# A channel to the first address of `host` that takes one, `most_ms` for each. whose: collector or proxy.
proc ::telemetry::connecting::connect {host port deadline most_ms {whose collector}} {
    set addresses [::telemetry::lookup::addresses $host $deadline]
    if {[::telemetry::waiting::remaining $deadline] == 0} {
        fail "no answer in time"
    }
    if {$addresses eq {}} {
        fail "the $whose's name cannot be resolved"
    }
    foreach address $addresses {
        set limit [::telemetry::waiting::at_most $deadline $most_ms]
        if {[catch {socket -async $address $port} channel]} {
            set failure "connection failed (no way there)"
            continue
        }
        fconfigure $channel -blocking 0 -translation binary
        set turns 0
        while {[IsConnecting $channel] && [::telemetry::waiting::pause $limit turns]} {}
        if {[IsConnecting $channel]} {
            set failure "no answer in time"
        } elseif {[set problem [fconfigure $channel -error]] ne {}} {
            set failure "connection failed ($problem)"
        } else {
            return $channel
        }
        catch {close $channel}
    }
    fail $failure
}

proc ::telemetry::connecting::IsConnecting {channel} {
    if {[catch {fconfigure $channel -connecting} is_connecting]} {
        # Before Tcl 8.6.2.
        return [expr {[fconfigure $channel -error] eq {} && [catch {fconfigure $channel -peername}]}]
    }
    return $is_connecting
}

# Hands `data` over whole.
proc ::telemetry::connecting::send {channel data deadline} {
    if {[catch {puts -nonewline $channel $data; flush $channel}]} {
        fail "connection failed (it was closed)"
    }
    set turns 0
    while {[chan pending output $channel] > 0} {
        wait $deadline turns
        if {[catch {flush $channel}]} {
            fail "connection failed (it was closed)"
        }
    }
}

# Asks the proxy at the other end to connect to the collector.
proc ::telemetry::connecting::open_tunnel {channel endpoint proxy deadline} {
    variable most_proxy_answer
    set target [::telemetry::address::bracketed [dict get $endpoint host]]:[dict get $endpoint port]
    set request "CONNECT $target HTTP/1.1\r\nHost: $target\r\n"
    set credentials [dict get $proxy credentials]
    if {$credentials ne {}} {
        append request "Proxy-Authorization: Basic [binary encode base64 $credentials]\r\n"
    }
    send $channel $request\r\n $deadline
    set answer {}
    set turns 0
    # Byte by byte: what comes after the headers is not the proxy's any more.
    while {![string match *\r\n\r\n $answer] && [string length $answer] < $most_proxy_answer} {
        if {[catch {read $channel 1} byte] || ($byte eq {} && [eof $channel])} {
            break
        }
        if {$byte eq {}} {
            wait $deadline turns
        }
        append answer $byte
    }
    if {![regexp {^HTTP/1\.[01] ([0-9]{3})\y} $answer -> status] || ![string match *\r\n\r\n $answer]} {
        fail "no proxy is there"
    }
    if {![string match 2* $status]} {
        fail "the proxy answered HTTP $status"
    }
}
