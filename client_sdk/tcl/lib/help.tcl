# The help of the program as a whole, and of each command.

namespace eval ::telemetry::help {
    variable general {
usage: telemetry-client COMMAND [OPTION ...]

Tells a product's vendor which version runs on which system, if you allow it.

commands:
  show      print exactly what would be sent, and whether it would be
  verify    tell what changed in the collector's policy since it was built
  send      send one report, if that is allowed
  status    whether it is on and which rule says so; collector, network, limits, outbox
  log       the last ten bodies that were handed to a connection
  on        allow reports from this user (root: from this machine)
  off       forbid them, and delete what waits to be sent
  seal      end an image's build: forget this machine, send nothing before the next boot

options:
  --help, -h  this; after a command, its options
  --version   the version of this program

examples:
  telemetry-client show
      what would be sent from this machine, byte for byte, and why it may be
  telemetry-client verify --url https://telemetry.example.com
      whether the collector's policy permits what this client was built with
  telemetry-client on
  telemetry-client send --url https://telemetry.example.com --product wordpress --product-version 6.4.2-0
      allow it, then report one boot
  telemetry-client off
      never again; what waits to be sent is deleted
  telemetry-client send --dry-run --url http://127.0.0.1:8080 --format json
      let a collector check a report and store nothing
  telemetry-client send --background
      the same at a boot that waits for nothing; `telemetry-client log` shows what was sent
  telemetry-client seal
      the last step of an image's build: nothing is sent before the image boots
  printf '%s' "$KEY" | telemetry-client send --license-key-stdin --product installbuilder --product-version 23.1.0
      InstallBuilder's own report, with the licence key from standard input

exit codes:
  0  done; of `send` also without network and when opted out; of `verify`: the same
  1  a choice could not be stored or an image not sealed; a dry run that the collector refuses; output that cannot be
     written; of `verify`: it differs
  2  wrong use: arguments, an address, no collector, or no product that is known; of `verify`: not compared

Nothing is sent before someone says yes: `on`, the administrator, or an image's default after a notice.
Any "off" wins. See what decides with `telemetry-client status`.
}
    variable commands {
        show {Prints the body that would be sent, where each value comes from and what it is for.}
        verify {Asks the collector for its current policy and tells what changed since this client was built, and whether
all that may be sent from here is still permitted. It says nothing about this machine; because you ask for it, it
connects also where telemetry is off. Exit code: 0 the same, 1 differs, 2 not compared.}
        send {Sends one report. Exit code: 0 even without network or when opted out, 2 on wrong use; 1 only from
--dry-run, where the collector would refuse the report.}
        status {Tells whether reports are allowed and which rule says so. Run it as the user, and in the environment, of
the service that sends: both decide.}
        log {Prints the last ten bodies that were handed to a connection, oldest first, each with the time, the collector
and its answer (0: none came). A licence key is asterisks in it.}
        on {Stores that reports are allowed, and lifts this user's own earlier off. Root's choice is for the machine's own
reports; no other user is switched on by it.}
        off {Forbids all reports of this user (root: of every user), whatever directory they keep their state in, and
deletes what waits to be sent.}
        seal {The last step of an image's build: deletes what was remembered and a stored on, keeps a stored off, and
holds reports back until the image boots.}
    }
    # What follows an option, and what it is for.
    variable options {
        --url {URL {the collector, such as https://telemetry.example.com}}
        --product {NAME {such as wordpress}}
        --product-version {VERSION {such as 6.4.2-0}}
        --source {SOURCE {vm, cloud or container}}
        --os-version {OS {such as debian-12}}
        --instance-type {TYPE {such as t3.micro}}
        --language {TAG {such as pt-BR}}
        --license-key-stdin {{} {InstallBuilder's licence key, from standard input (or set TELEMETRY_LICENSE_KEY)}}
        --reveal-key {{} {show the licence key instead of asterisks}}
        --dry-run {{} {the collector checks the report and stores nothing; exit code 1 where it refuses}}
        --background {{} {return at once; a process of its own sends, and ends within the timeout plus one second}}
        --timeout {SECONDS {for everything together, DNS included; at most 60 (default: 8)}}
        --format {text|json {default: text}}
        --state-dir {DIR {where choice and outbox are kept}}
        --config {FILE {the image's configuration file}}
        --root {DIR {facts and settings of a mounted image; an off of this machine still counts}}
        --help {{} this}
    }
    variable product_of {
        status {whose reports: installbuilder never goes by an image's default}
        verify {whose reports, such as installbuilder}
    }
}

# The help of the program, or of one command.
proc ::telemetry::help::text {command} {
    variable general
    if {$command eq {}} {
        return [string trim $general \n]
    }
    return [OfCommand $command]
}

proc ::telemetry::help::OfCommand {command} {
    variable commands
    variable options
    variable product_of
    set lines [list "usage: telemetry-client $command \[OPTION ...\]" {} \
        [::telemetry::value::member $commands $command] {} options:]
    foreach {name said} $options {
        lassign $said follows what
        if {![::telemetry::arguments::takes $command $name]} {
            continue
        }
        if {$name eq "--product" && [dict exists $product_of $command]} {
            set what [dict get $product_of $command]
        }
        lappend lines [string trimright [format "  %-26s %s" [string trimright "$name $follows"] $what]]
    }
    if {[::telemetry::arguments::takes $command --language]} {
        lappend lines {} "A fact that is not given is detected; `show` tells from where."
    }
    return [join $lines \n]
}
