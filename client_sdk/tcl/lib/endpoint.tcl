# The collector's address, and which addresses are refused.
#
# https to anywhere; plain http to this machine only. No user name in it (it would end up in logs), no query and no
# fragment. An endpoint is: url is_tls host port base_path authority; or problem, which does not repeat the address,
# because that may hold a password.

namespace eval ::telemetry::endpoint {}

# The endpoint, or why there is none.
proc ::telemetry::endpoint::parse {url} {
    if {[regexp {[^\u0000-\u007f]} $url]} {
        return [dict create problem "it is not a URL"]
    }
    set scheme {}
    set rest $url
    regexp {^([A-Za-z][A-Za-z0-9+.-]*):(.*)$} $url -> scheme rest
    set scheme [::telemetry::text::lowered $scheme]
    set authority {}
    set path $rest
    regexp {^//([^/?#]*)(.*)$} $rest -> authority path
    if {![Split $authority host port]} {
        return [dict create problem "it is not a URL"]
    }
    if {[regexp {[\u0000-\u0020\u007f]} $url]} {
        return [dict create problem "it has blanks or control characters in it"]
    }
    set problem [Problem $scheme $host [regexp {@} $authority] $url]
    if {$problem ne {}} {
        return [dict create problem $problem]
    }
    set is_tls [expr {$scheme eq "https"}]
    set usual [expr {$is_tls ? 443 : 80}]
    set port [expr {$port eq {} ? $usual : $port}]
    set base_path [string trimright $path /]
    set authority [::telemetry::address::bracketed $host]
    if {$port != $usual} {
        append authority :$port
    }
    return [dict create url $scheme://$authority$base_path is_tls $is_tls host $host port $port base_path $base_path \
        authority $authority]
}

# Host and port of an authority; 0 where they cannot be told apart.
proc ::telemetry::endpoint::Split {authority hostName portName} {
    upvar 1 $hostName host $portName port
    set named [string range $authority [string last @ $authority]+1 end]
    set port {}
    if {[regexp {[\[\]]} $authority]} {
        if {![regexp {^\[([^\[\]]*)\](?::(.*))?$} $named -> host port] || [llength [::telemetry::address::parse $host]] != 16} {
            return 0
        }
    } else {
        regexp {^([^:]*)(?::(.*))?$} $named -> host port
    }
    set host [::telemetry::text::lowered $host]
    if {$port eq {}} {
        return 1
    }
    if {![regexp {^[0-9]{1,6}$} $port]} {
        return 0
    }
    set port [::telemetry::text::whole_number $port]
    return [expr {$port <= 65535}]
}

proc ::telemetry::endpoint::Problem {scheme host has_user url} {
    if {$scheme ni {https http} || $host eq {}} {
        return "it does not begin with https:// and a host name"
    }
    if {$has_user || [regexp {[?#]} $url]} {
        return "it has a user name, a query or a fragment in it"
    }
    if {$scheme eq "http" && ![::telemetry::address::is_loopback $host]} {
        return "plain http is allowed to this machine only; use https"
    }
}
