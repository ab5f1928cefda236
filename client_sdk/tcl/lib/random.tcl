# Random numbers. The system's where it has them; elsewhere (Windows) from the clocks' jitter, which is enough for ids
# that must differ from each other and protect nothing.

namespace eval ::telemetry::random {
    variable pool 0
}

# 32 random hexadecimal digits.
proc ::telemetry::random::hex {} {
    if {![catch {
        set file [open /dev/urandom {RDONLY BINARY}]
        # Not the usual 4 KiB ahead.
        fconfigure $file -buffering none -buffersize 16
        set bytes [read $file 16]
        close $file
    }] && [binary scan $bytes H32 digits] && [string length $digits] == 32} {
        return $digits
    }
    variable pool
    set pool [expr {($pool + [clock microseconds] * 65536 + [pid]) % (1 << 128)}]
    for {set round 0} {$round < 64} {incr round} {
        set pool [expr {($pool * 0x2360ed051fc65da44385df649fccf645 + ([clock clicks] & 0xffffffff) * 2 + 1) % (1 << 128)}]
    }
    set folded [expr {$pool ^ ($pool >> 61)}]
    return [format %016lx%016lx [expr {($folded >> 64) & 0xffffffffffffffff}] [expr {$folded & 0xffffffffffffffff}]]
}

# A random UUID, version 4.
proc ::telemetry::random::uuid {} {
    set digits [hex]
    scan [string index $digits 16] %x variant
    set variant [format %x [expr {8 + ($variant & 3)}]]
    return [join [list [string range $digits 0 7] [string range $digits 8 11] 4[string range $digits 13 15] \
        $variant[string range $digits 17 19] [string range $digits 20 31]] -]
}

# A random number from 0 to 1, without 1.
proc ::telemetry::random::chance {} {
    scan [string range [hex] 0 7] %x number
    return [expr {$number / 4294967296.0}]
}
