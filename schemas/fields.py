"""The fields of a report: one annotated type each, with its format, bounds, meaning and an example.

Formats are ASCII and deliberately narrow: free text, a mail address or a path does not fit. They cannot tell what
somebody means: `10.0.0.5` is a version like any other, and `web-1.example.com` has the form of a system's name
(schemas/weaknesses.toml). A field that a client does not send is stored as the empty string.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

ReportId = Annotated[
    str,
    Field(
        # Version 4 only: version 1 would carry a network card's address.
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        max_length=36,
        description="A random UUID (version 4) made for this one report, never for the machine.",
        examples=["0b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44"],
    ),
]

ImageSource = Annotated[
    Literal["vm", "cloud", "container"],
    Field(description="What the image runs as.", examples=["cloud"]),
]

Product = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        max_length=48,
        description="The product's name in the catalogue.",
        examples=["wordpress"],
    ),
]

ProductVersion = Annotated[
    str,
    Field(
        pattern=r"^[0-9][0-9A-Za-z]*([.+~_-][0-9A-Za-z]+)*$",
        max_length=48,
        description="The product's full version, as its vendor writes it.",
        examples=["6.4.2-0"],
    ),
]

OsVersion = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*$",
        max_length=48,
        description="Operating system and its version, lower case, joined by a hyphen.",
        examples=["debian-12"],
    ),
]

InstanceType = Annotated[
    str,
    Field(
        # The first part holds a letter, so that a numeric network address does not fit.
        pattern=r"^[0-9]*[A-Za-z][0-9A-Za-z]*([._-][0-9A-Za-z]+)*$",
        max_length=64,
        description="The cloud's name for the machine's size.",
        examples=["t3.micro"],
    ),
]

Language = Annotated[
    str,
    Field(
        pattern=r"^(und|[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?)$",
        max_length=12,
        description="Language preference as a BCP-47 tag: language, script, region; `und` when there is none.",
        examples=["pt-BR"],
    ),
]

LicenseKey = Annotated[
    str,
    Field(
        pattern=r"^[0-9A-Za-z][0-9A-Za-z+/=_.:-]{7,127}$",
        max_length=128,
        description="The InstallBuilder licence key. Replaced by a keyed hash before anything is stored.",
        examples=["EXAMPLE-0000-0000-0000"],
    ),
]
