# The way to the collector where it leads through a proxy.
#
# Asked in order: TELEMETRY_PROXY, the administrator's file, the image's file, https_proxy, HTTPS_PROXY, all_proxy,
# ALL_PROXY; the first that is set and not empty counts. `none` is no proxy. What is set and not understood is a proxy
# that is not used, and then nothing is sent: going round a proxy is not ours to decide.
#
#     http://[USER:PASSWORD@]HOST[:PORT]     with or without http:// and a slash at the end; port 80 if not given
#
# User and password are sent to the proxy alone and shown to nobody. A proxy is: host port origin credentials; or
# problem; or empty where the way is direct.

namespace eval ::telemetry::proxy {
    variable variables {https_proxy HTTPS_PROXY all_proxy ALL_PROXY}
    variable exceptions {no_proxy NO_PROXY}
    # What stands for `/`, `:` and `@` in a user or password is `%2F`, `%3A` and `%40`.
    variable written {^(?:[Hh][Tt][Tt][Pp]://)?(?:([!-.0-9;-?A-~]+):([!-.0-?A-~]*)@)?([0-9A-Za-z](?:[0-9A-Za-z._-]*[0-9A-Za-z])?|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?$}
}

# The proxy for a collector at `host` (empty: for any).
proc ::telemetry::proxy::find {configuration machine host} {
    variable variables
    variable exceptions
    set setting [dict get $configuration proxy]
    if {$setting eq {}} {
        set setting [First $machine $variables]
    }
    if {$setting eq {} || [::telemetry::text::lowered [lindex $setting 0]] eq "none"} {
        return {}
    }
    if {$host ne {} && ([::telemetry::address::is_loopback $host]
            || [is_excepted $host [lindex [First $machine $exceptions] 0]])} {
        return {}
    }
    return [parse {*}$setting]
}

# The proxy that a setting names.
proc ::telemetry::proxy::parse {value origin} {
    variable written
    if {[regexp $written $value -> user password host port]} {
        set port [expr {$port eq {} ? 80 : [::telemetry::text::whole_number $port]}]
        if {0 < $port && $port <= 65535} {
            set credentials [::telemetry::value::either [expr {$user eq {}}] {} [Unquoted $user]:[Unquoted $password]]
            return [dict create host [string trim $host {[]}] port $port origin $origin credentials $credentials]
        }
    }
    return [dict create problem "the proxy ($origin) is not usable: it does not begin with http:// and a host name"]
}

# Host and port, for people; empty where there is none that is used.
proc ::telemetry::proxy::shown {proxy} {
    if {![dict exists $proxy host]} {
        return {}
    }
    return [::telemetry::address::bracketed [dict get $proxy host]]:[dict get $proxy port]
}

# Whether `no_proxy` names this host: itself, a domain above it, its address, or `*`.
proc ::telemetry::proxy::is_excepted {host exceptions} {
    set name [string trimright [::telemetry::text::lowered $host] .]
    set address [::telemetry::address::parse $name]
    foreach written [regexp -all -inline {[^,\s]+} [::telemetry::text::lowered $exceptions]] {
        set exception [string trim [string trim $written {[]}] .]
        if {$exception eq {}} {
            continue
        }
        set is_below [expr {[string range $name end-[string length $exception] end] eq ".$exception"}]
        if {$exception eq "*" || $exception eq $name || $is_below} {
            return 1
        }
        if {$address ne {} && [::telemetry::address::parse $exception] eq $address} {
            return 1
        }
    }
    return 0
}

# Percent escapes as bytes.
proc ::telemetry::proxy::Unquoted {text} {
    set bytes {}
    foreach {part hex} [regexp -all -inline {%([0-9A-Fa-f]{2})|[^%]+|%} $text] {
        if {$hex eq {}} {
            append bytes $part
        } else {
            append bytes [binary decode hex $hex]
        }
    }
    return $bytes
}

proc ::telemetry::proxy::First {machine names} {
    foreach name $names {
        set value [::telemetry::machine::variable_of $machine $name]
        if {$value ne {}} {
            return [list $value "environment $name"]
        }
    }
    return {}
}
