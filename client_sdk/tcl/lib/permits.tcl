# What may leave this machine. Generated from the policy by `make schemas`, never edited by hand.
#
# policy: id title dated contact url. reports: for each its path, sources and fields, and for each field required,
# sources, pattern, maxLength, enum, description, purpose and clause; what a field has not is empty.

namespace eval ::telemetry::permits {
    variable policy {
        id vendor-privacy-policy
        title "Privacy policy of the image and InstallBuilder vendor"
        dated 2026-01-15
        contact "privacy@example.com"
        url https://example.com/privacy
    }
    variable reports {
        image-boot/1 {
            path /v1/reports/image-boot/1
            sources {vm cloud container}
            fields {
                report_id {
                    required 0
                    sources {vm cloud container}
                    pattern "^\[0-9a-f\]\{8\}-\[0-9a-f\]\{4\}-4\[0-9a-f\]\{3\}-\[89ab\]\[0-9a-f\]\{3\}-\[0-9a-f\]\{12\}\$"
                    maxLength 36
                    enum ""
                    description "A random UUID (version 4) made for this one report, never for the machine."
                    purpose "A random number made for one report, so that a retry is not counted twice."
                    clause use.aggregate-only
                }
                product {
                    required 1
                    sources {vm cloud container}
                    pattern "^\[a-z\]\[a-z0-9\]*(-\[a-z0-9\]+)*\$"
                    maxLength 48
                    enum ""
                    description "The product's name in the catalogue."
                    purpose "Know which products are in use."
                    clause images.usage
                }
                product_version {
                    required 1
                    sources {vm cloud container}
                    pattern "^\[0-9\]\[0-9A-Za-z\]*(\[.+~_-\]\[0-9A-Za-z\]+)*\$"
                    maxLength 48
                    enum ""
                    description "The product's full version, as its vendor writes it."
                    purpose "Know which versions still need fixes."
                    clause images.usage
                }
                os_version {
                    required 0
                    sources {vm cloud container}
                    pattern "^\[a-z\]\[a-z0-9\]*(\[._-\]\[a-z0-9\]+)*\$"
                    maxLength 48
                    enum ""
                    description "Operating system and its version, lower case, joined by a hyphen."
                    purpose "Know which operating systems to build and test for."
                    clause images.environment
                }
                language {
                    required 0
                    sources {vm cloud container}
                    pattern "^(und|\[a-z\]\{2,3\}(-\[A-Z\]\[a-z\]\{3\})?(-(\[A-Z\]\{2\}|\[0-9\]\{3\}))?)\$"
                    maxLength 12
                    enum ""
                    description "Language preference as a BCP-47 tag: language, script, region; `und` when there is none."
                    purpose "Know which languages to translate into."
                    clause images.usage
                }
                source {
                    required 1
                    sources {vm cloud container}
                    pattern ""
                    maxLength ""
                    enum {vm cloud container}
                    description "What the image runs as."
                    purpose "Tell virtual machines, cloud instances and containers apart, to test each."
                    clause images.usage
                }
                instance_type {
                    required 0
                    sources {vm cloud container}
                    pattern "^\[0-9\]*\[A-Za-z\]\[0-9A-Za-z\]*(\[._-\]\[0-9A-Za-z\]+)*\$"
                    maxLength 64
                    enum ""
                    description "The cloud's name for the machine's size."
                    purpose "Know which instance sizes defaults must suit."
                    clause images.environment
                }
            }
        }
        installbuilder-run/1 {
            path /v1/reports/installbuilder-run/1
            sources {installbuilder}
            fields {
                report_id {
                    required 0
                    sources {installbuilder}
                    pattern "^\[0-9a-f\]\{8\}-\[0-9a-f\]\{4\}-4\[0-9a-f\]\{3\}-\[89ab\]\[0-9a-f\]\{3\}-\[0-9a-f\]\{12\}\$"
                    maxLength 36
                    enum ""
                    description "A random UUID (version 4) made for this one report, never for the machine."
                    purpose "A random number made for one report, so that a retry is not counted twice."
                    clause use.aggregate-only
                }
                product {
                    required 1
                    sources {installbuilder}
                    pattern "^\[a-z\]\[a-z0-9\]*(-\[a-z0-9\]+)*\$"
                    maxLength 48
                    enum ""
                    description "The product's name in the catalogue."
                    purpose "Tell InstallBuilder's own report from others."
                    clause installbuilder.users
                }
                product_version {
                    required 1
                    sources {installbuilder}
                    pattern "^\[0-9\]\[0-9A-Za-z\]*(\[.+~_-\]\[0-9A-Za-z\]+)*\$"
                    maxLength 48
                    enum ""
                    description "The product's full version, as its vendor writes it."
                    purpose "Know which InstallBuilder versions are in use."
                    clause installbuilder.users
                }
                os_version {
                    required 0
                    sources {installbuilder}
                    pattern "^\[a-z\]\[a-z0-9\]*(\[._-\]\[a-z0-9\]+)*\$"
                    maxLength 48
                    enum ""
                    description "Operating system and its version, lower case, joined by a hyphen."
                    purpose "Know which build platforms to support."
                    clause installbuilder.users
                }
                language {
                    required 0
                    sources {installbuilder}
                    pattern "^(und|\[a-z\]\{2,3\}(-\[A-Z\]\[a-z\]\{3\})?(-(\[A-Z\]\{2\}|\[0-9\]\{3\}))?)\$"
                    maxLength 12
                    enum ""
                    description "Language preference as a BCP-47 tag: language, script, region; `und` when there is none."
                    purpose "Know which languages to translate into."
                    clause installbuilder.users
                }
                license_key {
                    required 0
                    sources {installbuilder}
                    pattern "^\[0-9A-Za-z\]\[0-9A-Za-z+/=_.:-\]\{7,127\}\$"
                    maxLength 128
                    enum ""
                    description "The InstallBuilder licence key. Replaced by a keyed hash before anything is stored."
                    purpose "Count licences, not runs. Replaced by a keyed hash before it touches the disk."
                    clause installbuilder.licence-owners
                }
            }
        }
    }
}
