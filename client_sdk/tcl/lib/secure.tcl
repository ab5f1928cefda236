# TLS as this client uses it: 1.2 or later, chain, dates and name always verified.
#
# The authorities are those of OpenSSL's own places (SSL_CERT_FILE and SSL_CERT_DIR name others, as for every program
# with OpenSSL), and the system's file where such a place is known. Where a system has neither (Windows, whose own store
# tcltls cannot read), those in `authorities.pem` beside this package.

namespace eval ::telemetry::secure {
    variable files {
        /etc/ssl/certs/ca-certificates.crt
        /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem
        /etc/pki/tls/certs/ca-bundle.crt
        /etc/ssl/ca-bundle.pem
        /var/lib/ca-certificates/ca-bundle.pem
        /etc/ssl/cert.pem
        /opt/homebrew/etc/openssl@3/cert.pem
        /usr/local/etc/openssl@3/cert.pem
        /usr/local/share/certs/ca-root-nss.crt
    }
    variable directories {/etc/ssl/certs /etc/pki/tls/certs}
    variable shipped [file join [file dirname [file dirname [file normalize [info script]]]] authorities.pem]
}

# The options of tls::import that name the authorities; none where there are none.
proc ::telemetry::secure::authorities {} {
    global env
    variable files
    variable directories
    variable shipped
    set stated {}
    foreach {name option} {SSL_CERT_FILE -cafile SSL_CERT_DIR -cadir} {
        if {[info exists env($name)] && $env($name) ne {}} {
            lappend stated $option $env($name)
        }
    }
    if {[dict exists $stated -cafile]} {
        return $stated
    }
    foreach file [concat $files [list $shipped]] {
        if {[file isfile $file] && [file readable $file]} {
            return [concat $stated [list -cafile $file]]
        }
    }
    foreach directory $directories {
        if {![dict exists $stated -cadir] && [glob -nocomplain -directory $directory *.0] ne {}} {
            return [list -cadir $directory]
        }
    }
    return $stated
}

proc ::telemetry::secure::has_tls {} {
    return [expr {![catch {package require tls 1.7}]}]
}

# Makes TLS of a connection. Nothing was sent on it yet where this fails.
proc ::telemetry::secure::wrap {channel host deadline} {
    if {![has_tls]} {
        ::telemetry::connecting::fail "this Tcl has no TLS"
    }
    set options [authorities]
    if {[::telemetry::address::parse $host] eq {}} {
        lappend options -servername $host
    }
    # Not a test of versions: what this library does not know it does not offer either.
    foreach old {-ssl2 -ssl3 -tls1 -tls1.1} {
        lappend options $old 0
    }
    if {[catch {::tls::import $channel -server 0 -request 1 -require 1 {*}$options -tls1.2 1 -tls1.3 1}]} {
        ::telemetry::connecting::fail "connection failed (TLS could not be set up)"
    }
    ShakeHands $channel $deadline
    set status [::tls::status $channel]
    if {![dict exists $status certificate] || [dict exists $status version]
            && [dict get $status version] ni {TLSv1.2 TLSv1.3}} {
        ::telemetry::connecting::fail "connection failed (TLS could not be verified)"
    }
    if {![::telemetry::certificate::is_for [dict get $status certificate] $host]} {
        ::telemetry::connecting::fail "connection failed (the certificate is for another name)"
    }
}

proc ::telemetry::secure::ShakeHands {channel deadline} {
    set turns 0
    while 1 {
        if {![catch {::tls::handshake $channel} is_done options]} {
            if {$is_done} {
                return
            }
        } elseif {[lindex [dict get $options -errorcode] 1] ni {EAGAIN EWOULDBLOCK}} {
            set why [expr {[string match {*certificate*} $is_done] ? "the certificate is not trusted" : "no TLS is there"}]
            ::telemetry::connecting::fail "connection failed ($why)"
        }
        ::telemetry::connecting::wait $deadline turns
    }
}
