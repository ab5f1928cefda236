# One report: the facts that may leave, the exact bytes that carry them, and what was left out and why.
#
# Invariants: the body holds only fields that the permits grant to this report and source; every value has its format;
# optional facts that are unknown are not there at all; the id is new for every report and stays the same when that
# report is sent again. A report is a dictionary:
#
#     id path body carries_key
#     entries   FIELD {VALUE ORIGIN} ...      what is in the body
#     left_out  FIELD WHY ...                 without the value
#     malformed FIELD ORIGIN ...              those of them that have not their field's format
#     missing   FIELD ...                     needed, and not known

namespace eval ::telemetry::report {}

# The report that `facts` make, with a new id. Facts that are not permitted are left out.
proc ::telemetry::report::compose {facts} {
    set product [lindex [::telemetry::value::member $facts product] 0]
    set id [::telemetry::permit::report_for $product]
    set fields [::telemetry::permit::fields $id]
    set known [dict merge [dict create report_id [list [::telemetry::random::uuid] "random, new for every report"]] $facts]
    set source [::telemetry::permit::source_of $id [dict map {_ fact} $known {lindex $fact 0}]]
    set entries [dict create]
    set left_out {}
    set malformed {}
    set missing {}
    dict for {name permit} $fields {
        if {![dict exists $known $name]} {
            if {[dict get $permit required]} {
                lappend missing $name
            }
            continue
        }
        lassign [dict get $known $name] value origin
        if {![::telemetry::permit::admits $permit $value]} {
            lappend left_out $name "what $origin says does not have the field's format"
            lappend malformed $name $origin
            if {[dict get $permit required]} {
                lappend missing $name
            }
        } elseif {$source ni [dict get $permit sources]} {
            # A source that is none is somebody's text: it is not repeated.
            set is_one [expr {$source in [dict get [::telemetry::permit::report $id] sources]}]
            lappend left_out $name "not permitted from [::telemetry::value::either $is_one "source $source" "this source"]"
        } else {
            dict set entries $name [list $value $origin]
        }
    }
    foreach name [dict keys $known] {
        if {![dict exists $fields $name]} {
            lappend left_out $name "not a field of $id"
        }
    }
    set body [encode [dict map {_ fact} $entries {lindex $fact 0}]]
    return [dict create id $id path [dict get [::telemetry::permit::report $id] path] body $body entries $entries \
        left_out $left_out malformed $malformed missing $missing carries_key [dict exists $entries license_key]]
}

# The exact bytes of these values: compact ASCII, in the order that every client writes.
proc ::telemetry::report::encode {values} {
    set members [dict create]
    foreach name [concat $::telemetry::permit::order [dict keys $values]] {
        if {[dict exists $values $name]} {
            dict set members $name [list string [dict get $values $name]]
        }
    }
    return [::telemetry::json::compact [list object $members]]
}

# A body with asterisks for the licence key.
proc ::telemetry::report::mask {body} {
    set value [::telemetry::json::parse $body]
    if {[::telemetry::json::at $value license_key] eq {}} {
        return $body
    }
    set members [lindex $value 1]
    dict set members license_key [list string $::telemetry::permit::mask]
    return [::telemetry::json::compact [list object $members]]
}
