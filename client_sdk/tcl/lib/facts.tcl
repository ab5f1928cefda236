# Everything a report may say about this machine: given by the caller first, detected otherwise.
#
# What is given: product product_version source os_version instance_type language license_key license_key_origin; an
# empty text is not stated.

namespace eval ::telemetry::facts {
    variable nothing {
        product {} product_version {} source {} os_version {} instance_type {} language {} license_key {}
        license_key_origin {given by the caller}
    }
}

# Every fact that is known, by the name of its field. Which of them may leave is decided elsewhere.
proc ::telemetry::facts::collect {machine given} {
    variable nothing
    set given [dict merge $nothing $given]
    foreach name {product product_version source os_version instance_type language} {
        set value [dict get $given $name]
        set $name [::telemetry::value::either [expr {$value eq {}}] {} [list $value "given by the caller"]]
    }
    lassign [::telemetry::product::detect $machine $product $product_version] product product_version
    if {$source eq {}} {
        set said [::telemetry::machine::variable_of $machine TELEMETRY_SOURCE]
        if {$said ne {}} {
            set source [list $said "environment TELEMETRY_SOURCE"]
        } else {
            set source [::telemetry::cloud::source $machine]
        }
    }
    if {$os_version eq {}} {
        set os_version [::telemetry::system::os_version $machine]
    }
    if {$instance_type eq {}} {
        set instance_type [::telemetry::cloud::instance_type $machine]
    }
    if {$language eq {}} {
        set language [::telemetry::system::language $machine]
    }
    set license_key {}
    if {[dict get $given license_key] ne {}} {
        set license_key [list [dict get $given license_key] [dict get $given license_key_origin]]
    }
    set known [dict create]
    foreach name {source product product_version os_version instance_type language license_key} {
        if {[set $name] ne {}} {
            dict set known $name [set $name]
        }
    }
    return $known
}
