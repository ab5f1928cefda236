# Which cloud a machine is in, its size, and what the image runs as.
#
# Firmware strings and what cloud-init has already fetched tell without a network. Only vendor, product name and chassis
# tag are read; serial numbers, UUIDs and board tags (which hold instance ids) are not. A container on a cloud machine is
# a container. A machine of which nothing is known is a vm.

namespace eval ::telemetry::cloud {
    variable dmi /sys/class/dmi/id/
    variable instance_data /run/cloud-init/instance-data.json
    variable signs {
        chassis_asset_tag {7783-7084-3265-9085-8269-3286-77 azure OracleCloud.com oracle}
        sys_vendor {
            {Amazon EC2} aws DigitalOcean digitalocean Hetzner hetzner Vultr vultr Scaleway scaleway Linode linode
            Akamai linode
        }
        product_name {
            {Google Compute Engine} gcp {Alibaba Cloud ECS} alibaba {OpenStack Nova} openstack
            {OpenStack Compute} openstack
        }
    }
    variable cloud_init {
        {ds meta_data instance-type}
        {ds meta_data instance_type}
        {ds dynamic instance-identity document instanceType}
        {ds meta_data imds compute vmSize}
    }
    variable marker_files {/.dockerenv /run/.containerenv /run/systemd/container}
    variable marker_variables {container KUBERNETES_SERVICE_HOST}
}

# The cloud that firmware names; empty where it names none that is known.
proc ::telemetry::cloud::detect {machine} {
    variable dmi
    variable signs
    dict for {file names} $signs {
        set said [Firmware $machine $file]
        if {[dict exists $names $said]} {
            return [list [dict get $names $said] $dmi$file]
        }
    }
    return {}
}

proc ::telemetry::cloud::Firmware {machine file} {
    variable dmi
    return [::telemetry::text::first_line [::telemetry::machine::text $machine $dmi$file]]
}

proc ::telemetry::cloud::instance_type {machine} {
    variable dmi
    variable instance_data
    variable cloud_init
    if {[lindex [detect $machine] 0] eq "aws"} {
        # Only Nitro instances carry their type here; older ones say "HVM domU".
        set product [Firmware $machine product_name]
        if {[regexp {^[a-z0-9-]+\.[a-z0-9-]+$} $product]} {
            return [list $product ${dmi}product_name]
        }
    }
    if {[catch {::telemetry::json::parse [::telemetry::machine::text $machine $instance_data]} data]} {
        return {}
    }
    foreach names $cloud_init {
        set value [::telemetry::json::text [::telemetry::json::at $data $names]]
        if {$value ne {}} {
            return [list $value "$instance_data [join $names .]"]
        }
    }
    return {}
}

proc ::telemetry::cloud::source {machine} {
    variable marker_files
    variable marker_variables
    foreach path $marker_files {
        if {[::telemetry::machine::exists $machine $path]} {
            return [list container $path]
        }
    }
    foreach name $marker_variables {
        if {[::telemetry::machine::raw_variable $machine $name] ne {}} {
            return [list container "environment $name"]
        }
    }
    if {[regexp {docker|kubepods|containerd|libpod|/lxc} [::telemetry::machine::text $machine /proc/1/cgroup]]} {
        return {container /proc/1/cgroup}
    }
    set cloud [detect $machine]
    if {$cloud ne {}} {
        return [list cloud [lindex $cloud 1]]
    }
    return {vm {no sign of a container or a known cloud}}
}
