# The last step of an image's build: nothing of the build machine stays, and nothing is sent before the next boot.
#
#     sealed    boot = BOOT; while that boot runs, every sender that reads the place sends nothing    0644
#
# Invariant: a stored "off" stays, because whoever said it did not say it for one machine only.

namespace eval ::telemetry::sealing {
    variable words "this image is sealed; nothing is sent before the next boot"
    variable forgotten {sent not-before stopped notice today last-boot last-send}
    # For a sender that is at work while it is sealed.
    variable most_ms 1000
}

# Whether a place that a sender of this user reads was sealed in this boot.
proc ::telemetry::sealing::is_sealed {places boot} {
    if {$boot eq {}} {
        return 0
    }
    foreach directory [::telemetry::choices::read $places] {
        if {[::telemetry::state::value $directory sealed boot] eq $boot} {
            return 1
        }
    }
    return 0
}

# Empties this user's places, and seals them where a boot is known.
# sealed: files that hold reports back. offs: stored offs that stay. failed: what could not be removed or written.
proc ::telemetry::sealing::seal {places boot} {
    variable most_ms
    set done [dict create sealed {} offs {} failed {}]
    set own [::telemetry::choices::own $places]
    # First sealed, then emptied: a sender that is at work here asks once more before each report.
    foreach directory $own {
        set is_written [Mark $directory $boot]
        if {$boot ne {} || !$is_written} {
            dict lappend done [expr {$is_written ? "sealed" : "failed"}] [::telemetry::state::path $directory sealed]
        }
    }
    foreach directory $own {
        Empty $directory
    }
    set deadline [::telemetry::waiting::deadline $most_ms]
    foreach directory $own {
        ::telemetry::lock::wait_for_sender $directory [::telemetry::waiting::remaining $deadline]
        dict lappend done failed {*}[Empty $directory]
        set consent [::telemetry::state::path $directory consent]
        set choice [::telemetry::state::choice $directory]
        if {$choice ne {} && [::telemetry::state::says_off $choice]} {
            dict lappend done offs $consent
        } elseif {![::telemetry::state::remove $directory consent]} {
            dict lappend done failed $consent
        }
    }
    return $done
}

# Writes `sealed`; without a boot to write, one of an earlier image goes. 0 where that fails.
proc ::telemetry::sealing::Mark {directory boot} {
    if {$boot eq {}} {
        return [::telemetry::state::remove $directory sealed]
    }
    return [::telemetry::state::try_write $directory sealed "boot = $boot\n" 0644]
}

# Removes what a build leaves behind; what could not be removed.
proc ::telemetry::sealing::Empty {directory} {
    variable forgotten
    set left {}
    foreach name $forgotten {
        if {![::telemetry::state::remove $directory $name]} {
            lappend left [::telemetry::state::path $directory $name]
        }
    }
    foreach name [::telemetry::files::names $directory $::telemetry::files::temporary_prefix*] {
        ::telemetry::state::remove $directory $name
    }
    # A link goes itself, and nothing behind it.
    set outbox [::telemetry::state::path $directory outbox]
    catch {file delete -force -- $outbox}
    if {[::telemetry::files::presence $outbox] ne "missing"} {
        lappend left $outbox
    }
    return $left
}
