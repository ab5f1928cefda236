# Whether a certificate is for a host: its subjectAltName, and nothing else (RFC 6125, RFC 9525).
#
# tcltls 1.7 has the chain and the dates verified, but not the name. So the certificate is read here: DER, just as far as
# the names. The common name never counts. What is not understood is no name, and no name is another host.
#
# `*` stands for exactly one label, the first and whole one, above at least two others. An address is compared with
# addresses alone.

namespace eval ::telemetry::certificate {
    # The object identifier 2.5.29.17 as it is written in a certificate.
    variable subject_alt_name 551d11
}

# Whether the certificate (PEM) is for `host`.
proc ::telemetry::certificate::is_for {pem host} {
    if {[catch {names $pem} names]} {
        return 0
    }
    set host [string trimright [::telemetry::text::lowered $host] .]
    set address [::telemetry::address::parse $host]
    foreach {kind name} $names {
        if {$address ne {} ? ($kind eq "address" && $name eq $address) : ($kind eq "name" && [matches $name $host])} {
            return 1
        }
    }
    return 0
}

# Whether the name of a certificate is the one of `host`.
proc ::telemetry::certificate::matches {name host} {
    set name [::telemetry::text::lowered $name]
    if {![regexp {^(?:\*\.)?[0-9a-z_-]+(?:\.[0-9a-z_-]+)*$} $name]} {
        return 0
    }
    if {[string index $name 0] ne "*"} {
        return [expr {$name eq $host}]
    }
    set above [string range $name 1 end]
    set dot [string first . $host]
    return [expr {[regexp -all {\.} $above] >= 2 && $dot > 0 && [string range $host $dot end] eq $above}]
}

# The names in a certificate: `name TEXT` and `address {BYTE ...}`. Raises an error where it cannot be read.
proc ::telemetry::certificate::names {pem} {
    if {![regexp -- {-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----} $pem -> base64]} {
        error "no certificate"
    }
    set certificate [lindex [Elements [binary decode base64 $base64]] 1]
    # Of the certificate's three parts the first, and of its parts the one with the tag [3].
    set extensions {}
    foreach {tag content} [Elements [lindex [Elements $certificate] 1]] {
        if {$tag == 0xa3} {
            set extensions [lindex [Elements $content] 1]
        }
    }
    foreach {_sequence extension} [Elements $extensions] {
        set parts [Elements $extension]
        binary scan [lindex $parts 1] H* identifier
        variable subject_alt_name
        if {$identifier eq $subject_alt_name} {
            return [General [lindex [Elements [lindex $parts end]] 1]]
        }
    }
    return {}
}

proc ::telemetry::certificate::General {content} {
    set names {}
    foreach {tag name} [Elements $content] {
        switch -exact -- $tag {
            130 {lappend names name $name}
            135 {
                binary scan $name cu* bytes
                lappend names address $bytes
            }
        }
    }
    return $names
}

# The elements of DER, one after another: TAG CONTENT ...
proc ::telemetry::certificate::Elements {bytes} {
    set elements {}
    set at 0
    set end [string length $bytes]
    while {$at < $end} {
        if {[binary scan $bytes @${at}cucu tag length] != 2 || ($tag & 31) == 31} {
            error "no DER"
        }
        incr at 2
        if {$length > 128} {
            set digits [expr {$length - 128}]
            if {$digits > 3 || [binary scan $bytes @${at}H[expr {2 * $digits}] hex] != 1} {
                error "no DER"
            }
            scan $hex %x length
            incr at $digits
        } elseif {$length == 128} {
            error "no DER"
        }
        if {$at + $length > $end} {
            error "no DER"
        }
        lappend elements $tag [string range $bytes $at [expr {$at + $length - 1}]]
        incr at $length
    }
    return $elements
}
