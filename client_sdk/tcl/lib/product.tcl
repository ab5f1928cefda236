# Which product and version this image is, where the caller does not say.
#
# Places are asked in order: TELEMETRY_PRODUCT and TELEMETRY_PRODUCT_VERSION, the image's environment (BITNAMI_APP_NAME,
# APP_VERSION), `/opt/bitnami/properties.ini`, `/opt/bitnami/.bitnami_components.json`. A version is taken only from a
# place that speaks of the same product: the version of the database beside WordPress must not become WordPress's.

namespace eval ::telemetry::product {
    variable properties /opt/bitnami/properties.ini
    variable components /opt/bitnami/.bitnami_components.json
}

# Product and version as two facts; what the caller already knows is kept.
proc ::telemetry::product::detect {machine product version} {
    variable components
    if {$product ne {} && $version ne {}} {
        return [list $product $version]
    }
    set signs [Signs $machine]
    set listed [Components $machine]
    foreach {named _ origin _} $signs {
        if {$product eq {} && $named ne {}} {
            set product [list $named $origin]
        }
    }
    if {$product eq {} && [dict size $listed] == 1} {
        set product [list [lindex [dict keys $listed] 0] $components]
    }
    if {$version ne {} || $product eq {}} {
        return [list $product $version]
    }
    set name [lindex $product 0]
    foreach {named said _ origin} $signs {
        if {$version eq {} && $said ne {} && $named in [list {} $name]} {
            set version [list $said $origin]
        }
    }
    if {$version eq {} && [dict exists $listed $name] && [dict get $listed $name] ne {}} {
        set version [list [dict get $listed $name] "$components $name"]
    }
    return [list $product $version]
}

# PRODUCT VERSION and their origins, for each place that says something.
proc ::telemetry::product::Signs {machine} {
    variable properties
    set signs [list \
        [::telemetry::machine::variable_of $machine TELEMETRY_PRODUCT] \
        [::telemetry::machine::variable_of $machine TELEMETRY_PRODUCT_VERSION] \
        "environment TELEMETRY_PRODUCT" "environment TELEMETRY_PRODUCT_VERSION"]
    # APP_VERSION alone could be anybody's variable.
    set name [::telemetry::machine::variable_of $machine BITNAMI_APP_NAME]
    if {$name ne {}} {
        lappend signs $name [::telemetry::machine::variable_of $machine APP_VERSION] \
            "environment BITNAMI_APP_NAME" "environment APP_VERSION"
    }
    lassign [Properties $machine] stack version
    if {$stack ne {}} {
        lappend signs $stack $version "$properties \[General\] base_stack_key" \
            "$properties \[General\] base_stack_version"
    }
    return $signs
}

# Product and version of the section [General]; the last line of a name counts.
proc ::telemetry::product::Properties {machine} {
    variable properties
    set section {}
    set values [dict create base_stack_key {} base_stack_version {}]
    foreach line [::telemetry::text::split_lines [::telemetry::machine::text $machine $properties]] {
        if {[regexp {^\[(.*)\]$} $line -> section]} {
            continue
        }
        set equals [string first = $line]
        if {$section eq "General" && $equals >= 0} {
            set name [::telemetry::text::stripped [string range $line 0 [expr {$equals - 1}]]]
            set value [::telemetry::text::stripped [string range $line [expr {$equals + 1}] end]]
            dict set values [::telemetry::text::lowered $name] $value
        }
    }
    return [list [dict get $values base_stack_key] [dict get $values base_stack_version]]
}

# Each component of the image and its version.
proc ::telemetry::product::Components {machine} {
    variable components
    set found [dict create]
    if {[catch {::telemetry::json::parse [::telemetry::machine::text $machine $components]} listed]} {
        return $found
    }
    if {[lindex $listed 0] eq "object"} {
        dict for {name entry} [lindex $listed 1] {
            set version [::telemetry::json::at $entry version]
            if {[lindex $version 0] eq "string"} {
                dict set found $name [lindex $version 1]
            }
        }
    }
    return $found
}
