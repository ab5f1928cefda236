# Asks a cloud's metadata service for the machine's size; bounded in time whatever the service does.
#
# Invariants: directly, whatever proxy is set; no redirect is followed; nothing is asked twice; the answer is one of status
# 200 with at most 16 KiB, or none. Every service is on an address of its own cloud that leads nowhere else, and is asked
# only in the cloud that the firmware names. Those of DigitalOcean, Hetzner and Vultr do not tell a size; they are not
# asked.

namespace eval ::telemetry::metadata {
    variable connect_ms 1000
    variable total_ms 2000
    variable most_body 16384
    variable port 80
    # token: path, header of the request for it, and the header that then carries it. answers_with: a header without
    # which an answer is none. reads: the procedure that finds the size in an answer, and what it is told.
    variable usual {address 169.254.169.254 headers {} token {} answers_with {} reads Whole}
    variable services {
        aws {
            path /latest/meta-data/instance-type
            token {/latest/api/token {X-aws-ec2-metadata-token-ttl-seconds 60} X-aws-ec2-metadata-token}
        }
        azure {
            path /metadata/instance/compute/vmSize?api-version=2021-02-01&format=text
            headers {Metadata true}
        }
        gcp {
            path /computeMetadata/v1/instance/machine-type
            headers {Metadata-Flavor Google} answers_with {metadata-flavor Google} reads LastSegment
        }
        oracle {path /opc/v2/instance/shape headers {Authorization {Bearer Oracle}}}
        alibaba {
            address 100.100.100.200 path /latest/meta-data/instance/instance-type
            token {/latest/api/token {X-aliyun-ecs-metadata-token-ttl-seconds 60} X-aliyun-ecs-metadata-token}
        }
        openstack {path /latest/meta-data/instance-type}
        scaleway {address 169.254.42.42 path /conf reads {After COMMERCIAL_TYPE=}}
        linode {
            path /v1/instance headers {Accept text/plain} reads {After type:}
            token {/v1/token {Metadata-Token-Expiry-Seconds 60} Metadata-Token}
        }
    }
}

# The fact from the metadata service of the cloud that firmware names; empty where it does not tell.
proc ::telemetry::metadata::ask {machine most_ms} {
    variable services
    variable usual
    variable total_ms
    set cloud [lindex [::telemetry::cloud::detect $machine] 0]
    if {![dict exists $services $cloud]} {
        return {}
    }
    set deadline [::telemetry::waiting::deadline [expr {min($total_ms, $most_ms)}]]
    # Whatever it is: the size is optional.
    if {[catch {Answer [dict merge $usual [dict get $services $cloud]] $deadline} size]} {
        return {}
    }
    set permit [dict get [::telemetry::permit::fields $::telemetry::permit::image_boot] instance_type]
    if {![::telemetry::permit::admits $permit $size]} {
        return {}
    }
    return [list $size "metadata service of $cloud"]
}

proc ::telemetry::metadata::Answer {service deadline} {
    set headers [dict get $service headers]
    lassign [dict get $service token] path asked carried_by
    if {$path ne {}} {
        set token [RequestText $service PUT $path $asked $deadline]
        # One line without blanks: a token must not bring a header of its own along.
        regexp {^([^\n]*)\n$} $token -> token
        if {![regexp {^[!-~]+$} $token] || [string length $token] > 512} {
            return {}
        }
        lappend headers $carried_by $token
    }
    set text [RequestText $service GET [dict get $service path] $headers $deadline]
    return [{*}[dict get $service reads] $text]
}

# The text of the answer; empty where it is none.
proc ::telemetry::metadata::RequestText {service method path headers deadline} {
    variable connect_ms
    variable most_body
    variable port
    set address [dict get $service address]
    set lines [list "$method $path HTTP/1.1" "Host: $address"]
    foreach {name value} $headers {
        lappend lines "$name: $value"
    }
    if {$method eq "PUT"} {
        lappend lines "Content-Length: 0"
    }
    lappend lines "Connection: close" {} {}
    set channel [::telemetry::connecting::connect $address $port $deadline $connect_ms]
    try {
        ::telemetry::connecting::send $channel [join $lines \r\n] $deadline
        set answer [::telemetry::http::answer $channel $deadline $most_body ::telemetry::metadata::IsAnswer]
    } finally {
        catch {close $channel}
    }
    lassign [dict get $service answers_with] name value
    if {![IsAnswer [dict get $answer status]] || ![dict get $answer is_whole]
            || ($method eq "GET" && $name ne {} && [::telemetry::http::header $answer $name] ne $value)} {
        return {}
    }
    return [::telemetry::text::decoded [dict get $answer body]]
}

proc ::telemetry::metadata::IsAnswer {status} {
    return [expr {$status == 200}]
}

proc ::telemetry::metadata::Whole {text} {
    return [::telemetry::text::stripped [string trim $text \n]]
}

proc ::telemetry::metadata::LastSegment {text} {
    set text [Whole $text]
    return [string range $text [string last / $text]+1 end]
}

# The line that begins so, and the rest of it.
proc ::telemetry::metadata::After {beginning text} {
    foreach line [::telemetry::text::split_lines $text] {
        if {[string first $beginning $line] == 0} {
            return [::telemetry::text::stripped [string range $line [string length $beginning] end]]
        }
    }
    return {}
}
