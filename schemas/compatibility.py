"""What a report's new JSON Schema would refuse that an earlier one of the same version took.

Clients live for years in images that nobody updates: what a version of a report took once, it takes for ever. A change
that refuses more is a new version of the report, beside the old one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.patterns import refused_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Everything that a field's schema here may say; another word would have to be compared too.
_KNOWN = {"description", "examples", "maxLength", "pattern", "title", "type", "enum", "default"}
_UNBOUNDED = 256


def narrowed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line for each way in which `after` refuses what `before` took; empty if it takes at least as much."""
    found = [
        f"field {name} has become required: clients that leave it out would be refused"
        for name in after.get("required", ())
        if name not in before.get("required", ())
    ]
    if before.get("additionalProperties", True) and not after.get("additionalProperties", True):
        found.append("further fields were allowed and are not any more")
    for name, field in before["properties"].items():
        if name not in after["properties"]:
            found.append(
                f"field {name} is gone: clients that send it would be refused; withdraw it in the policy instead"
            )
        else:
            found += [f"field {name} {line}" for line in _narrowed_field(field, after["properties"][name])]
    return found


def _narrowed_field(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    unknown = sorted((before.keys() | after.keys()) - _KNOWN)
    if unknown:
        yield f"has {', '.join(unknown)}, which cannot be compared yet: see schemas/compatibility.py"
    if before.get("type") != after.get("type"):
        yield f"is {after.get('type')}, and was {before.get('type')}"
    most = before.get("maxLength", _UNBOUNDED)
    if after.get("maxLength", _UNBOUNDED) < most:
        yield f"may be {after['maxLength']} characters long, and might be {most}"
    yield from _narrowed_choice(before, after)
    if "pattern" in after and before.get("pattern") != after["pattern"]:
        try:
            lost = refused_by(after["pattern"], before.get("pattern", "^.*$"), most)
        except ValueError as error:
            yield f"has a format that cannot be compared: {error}"
        else:
            if lost is not None:
                yield f"does not take {lost!r} any more, which its earlier format did"


def _narrowed_choice(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if "enum" not in after:
        return
    if "enum" not in before:
        yield f"must be one of {', '.join(after['enum'])}, and might be anything"
    gone = [value for value in before.get("enum", ()) if value not in after["enum"]]
    if gone:
        yield f"may not be {', '.join(gone)} any more"
