# What may leave this machine: the check that enforces the list of permits.
#
# The list itself is generated from the policy (permits.tcl), and never edited by hand. A field that is not on it for a
# report and its source does not leave, whatever the rest of this package does.

namespace eval ::telemetry::permit {
    variable image_boot image-boot/1
    variable installbuilder_run installbuilder-run/1
    variable installbuilder installbuilder
    variable mask ********
    # The order people read them in, and every client writes them in.
    variable order {report_id source product product_version os_version instance_type language license_key}
}

proc ::telemetry::permit::policy {name} {
    return [dict get $::telemetry::permits::policy $name]
}

# Path, sources and fields of a report.
proc ::telemetry::permit::report {report_id} {
    return [dict get $::telemetry::permits::reports $report_id]
}

# The fields of a report: NAME PERMIT ..., in the order in which they are written.
proc ::telemetry::permit::fields {report_id} {
    variable order
    set fields [dict get $::telemetry::permits::reports $report_id fields]
    set sorted [dict create]
    foreach name [concat $order [dict keys $fields]] {
        if {[dict exists $fields $name]} {
            dict set sorted $name [dict get $fields $name]
        }
    }
    return $sorted
}

# Which report a product sends: InstallBuilder reports its runs, every other product is an image.
proc ::telemetry::permit::report_for {product} {
    variable installbuilder
    variable installbuilder_run
    variable image_boot
    return [expr {$product eq $installbuilder ? $installbuilder_run : $image_boot}]
}

# Whether `value` has the field's format.
proc ::telemetry::permit::admits {permit value} {
    if {[dict get $permit enum] ne {}} {
        return [expr {$value in [dict get $permit enum]}]
    }
    # A field without a format admits nothing rather than everything.
    return [expr {
        [string length $value] <= [dict get $permit maxLength] && [dict get $permit pattern] ne {}
        && [regexp -- ^(?:[dict get $permit pattern])\$ $value]
    }]
}

# The source a body speaks for: its own `source`, or the report's only one.
proc ::telemetry::permit::source_of {report_id values} {
    set report [report $report_id]
    if {![dict exists $report fields source]} {
        return [lindex [dict get $report sources] 0]
    }
    return [::telemetry::value::member $values source]
}

# Whether these values (NAME TEXT ...) may be sent as this report.
proc ::telemetry::permit::allows {report_id values} {
    variable installbuilder
    variable installbuilder_run
    if {![dict exists $::telemetry::permits::reports $report_id]} {
        return 0
    }
    set fields [dict get $::telemetry::permits::reports $report_id fields]
    set source [source_of $report_id $values]
    dict for {name permit} $fields {
        if {[dict get $permit required] && ![dict exists $values $name]} {
            return 0
        }
    }
    dict for {name value} $values {
        if {![dict exists $fields $name]} {
            return 0
        }
        set permit [dict get $fields $name]
        if {![admits $permit $value] || $source ni [dict get $permit sources]} {
            return 0
        }
    }
    # The key's clause speaks of InstallBuilder alone, so its report does too.
    return [expr {([dict get $values product] eq $installbuilder) == ($report_id eq $installbuilder_run)}]
}
