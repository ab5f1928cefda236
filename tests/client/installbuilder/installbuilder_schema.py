"""What is known of InstallBuilder's project files, as far as the component and its example use it, as data.

It is no schema of InstallBuilder: what is not in the tables was not needed or is not known. `Known.FROM` says where a
fact comes from, so that a reader can tell what was checked:

    guide       read in the guide and schema of InstallBuilder 21.9 or in the guide's public pages
    notes       InstallBuilder's release notes
    projects    seen in public project files
    believed    neither; the README lists these as the first to try
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import NamedTuple

GUIDE, NOTES, PROJECTS, BELIEVED = "guide", "notes", "projects", "believed"
BOOLEAN = {"0", "1"}
# A property that may hold any text.
TEXT: set[str] = set()


class Known(NamedTuple):
    """An element.

    properties: what may be set on it, as an attribute or as an element, and the values it takes.
    lists: what may be in it as a list, and the kind of what is in that list.
    required: properties and lists that must be there.
    """

    source: str
    kind: str
    properties: dict[str, set[str]]
    lists: dict[str, str] = {}  # noqa: RUF012 - never changed
    required: tuple[str, ...] = ("name",)


ON_ERROR = {"abortOnError": BOOLEAN, "showMessageOnError": BOOLEAN}
PARAMETER = dict.fromkeys(("name", "title", "description", "explanation", "value", "default"), TEXT) | {
    "cliOptionName": TEXT,
    "cliOptionShow": BOOLEAN,
    "cliOptionText": TEXT,
}
PARAMETER_LISTS = {"preShowPageActionList": "action", "ruleList": "rule"}
COMPARISONS = {"equals", "does_not_equal", "contains", "does_not_contain"}

ELEMENTS: dict[str, Known] = {
    "project": Known(
        GUIDE,
        "project",
        {"shortName": TEXT, "fullName": TEXT, "version": TEXT},
        {"initializationActionList": "action", "componentList": "component", "parameterList": "parameter"},
        ("shortName", "fullName", "version"),
    ),
    "include": Known(GUIDE, "include", {"file": TEXT}, {}, ("file",)),
    "component": Known(
        GUIDE,
        "component",
        {"name": TEXT, "description": TEXT, "canBeEdited": BOOLEAN, "selected": BOOLEAN, "show": BOOLEAN},
        {
            "initializationActionList": "action",
            "folderList": "folder",
            "parameterList": "parameter",
            "postInstallationActionList": "action",
        },
    ),
    "folder": Known(
        GUIDE,
        "folder",
        {"name": TEXT, "destination": TEXT, "platforms": TEXT},
        {"distributionFileList": "distributionFile"},
        ("name", "destination", "platforms"),
    ),
    "distributionFile": Known(GUIDE, "distributionFile", {"origin": TEXT}, {}, ("origin",)),
    "parameterGroup": Known(GUIDE, "parameter", PARAMETER, PARAMETER_LISTS | {"parameterList": "parameter"}),
    "infoParameter": Known(GUIDE, "parameter", PARAMETER, PARAMETER_LISTS),
    "stringParameter": Known(GUIDE, "parameter", PARAMETER, PARAMETER_LISTS),
    "directoryParameter": Known(GUIDE, "parameter", PARAMETER, PARAMETER_LISTS),
    "booleanParameter": Known(
        GUIDE,
        "parameter",
        PARAMETER | {"displayStyle": {"radiobuttons", "checkbox-left", "checkbox-right"}, "default": BOOLEAN},
        PARAMETER_LISTS,
    ),
    "setInstallerVariable": Known(GUIDE, "action", ON_ERROR | {"name": TEXT, "value": TEXT}, {"ruleList": "rule"}),
    "setEnvironmentVariable": Known(PROJECTS, "action", ON_ERROR | {"name": TEXT, "value": TEXT}, {"ruleList": "rule"}),
    "runProgram": Known(
        GUIDE,
        "action",
        # stdin: that it is there was read, how the text is handed over was not.
        ON_ERROR | {"program": TEXT, "programArguments": TEXT, "stdin": TEXT},
        {"ruleList": "rule"},
        ("program",),
    ),
    "isTrue": Known(GUIDE, "rule", {"value": TEXT}, {}, ("value",)),
    "isFalse": Known(NOTES, "rule", {"value": TEXT}, {}, ("value",)),
    "compareText": Known(
        PROJECTS,
        "rule",
        {"text": TEXT, "value": TEXT, "logic": COMPARISONS, "nocase": BOOLEAN},
        {},
        ("text", "value", "logic"),
    ),
    "regExMatch": Known(
        PROJECTS,
        "rule",
        {"text": TEXT, "pattern": TEXT, "logic": {"matches", "does_not_match"}},
        {},
        ("text", "pattern", "logic"),
    ),
}

# What an include may stand for.
INCLUDABLE = {"component", "actionGroup", "actionDefinition"}

VARIABLES = {
    **dict.fromkeys(
        (
            *("product_shortname", "product_fullname", "product_version", "platform_name", "system_locale"),
            *("installation_language_code", "linux_distribution", "linux_distribution_id"),
            *("linux_distribution_release", "linux_distribution_version", "osx_version", "windows_os_name"),
            *("windows_os_version_number", "installer_builder_version", "installer_http_code", "installdir"),
        ),
        GUIDE,
    ),
    "build_project_directory": NOTES,
    "installer_command_line_arguments": NOTES,
    "platform_install_prefix": BELIEVED,
}
# Plausible names that InstallBuilder has not got, and the one that may never be sent.
NO_VARIABLES = {"installer_language_code", "installbuilder_version", "installation_guid"}
SUFFIXES = (".password",)
_REFERENCE = re.compile(r"\$\{([^{}]*)\}")


def parse(text: str) -> ET.Element:
    """The root of one of our own files."""
    return ET.fromstring(text)  # noqa: S314


def problems(text: str) -> list[str]:
    """What is wrong with a project or component file; empty where nothing is found."""
    try:
        root = parse(text)
    except ET.ParseError as error:
        return [f"not well-formed: {error}"]
    if root.tag not in {"project", *INCLUDABLE}:
        return [f"<{root.tag}> can neither be a project nor be included"]
    return [*_structure(root), *_references(root), *_errors_that_show(root)]


def _structure(element: ET.Element) -> list[str]:
    known = ELEMENTS.get(element.tag)
    if known is None:
        return [f"<{element.tag}> is not known"]
    found = []
    seen = [*element.attrib, *(child.tag for child in element)]
    found += [f"<{element.tag}> has {name} twice" for name in sorted(set(seen)) if seen.count(name) > 1]
    found += [f"<{element.tag}> has no {name}" for name in known.required if name not in seen]
    for name, value in element.attrib.items():
        found += _property(element, known, name, value)
    for child in element:
        if child.tag in known.lists:
            found += _list(child, known.lists[child.tag])
        elif len(child):
            found.append(f"<{child.tag}> may not stand in <{element.tag}>")
        else:
            found += _property(element, known, child.tag, child.text or "")
    return found


def _property(element: ET.Element, known: Known, name: str, value: str) -> list[str]:
    if name not in known.properties:
        return [f"<{element.tag}> has no property {name}"]
    allowed = known.properties[name]
    return [] if not allowed or value in allowed else [f"{name} of <{element.tag}> cannot be {value!r}"]


def _list(of: ET.Element, kind: str) -> list[str]:
    found = [] if not of.attrib else [f"<{of.tag}> has attributes"]
    for child in of:
        known = ELEMENTS.get(child.tag)
        if known is not None and known.kind not in {kind, "include"}:
            found.append(f"<{child.tag}> may not stand in <{of.tag}>")
        found += _structure(child)
    return found


def _references(root: ET.Element) -> list[str]:
    own = {element.get("name", "") for element in root.iter("setInstallerVariable")}
    own |= {e.findtext("name", "") for e in root.iter() if e.tag.endswith("Parameter")}
    found = []
    for element in root.iter():
        for text in (*element.attrib.values(), element.text or ""):
            for name in _REFERENCE.findall(text):
                bare = name.removesuffix(".password")
                if not re.fullmatch(r"env\(\w+\)", name) and bare not in own | set(VARIABLES):
                    found.append(f"variable {name} is not known")
            if text.count("${") != len(_REFERENCE.findall(text)):
                found.append(f"a reference of <{element.tag}> is not closed")
    return found


def _errors_that_show(root: ET.Element) -> list[str]:
    found = []
    for element in root.iter():
        known = ELEMENTS.get(element.tag)
        if known is None or known.kind != "action":
            continue
        for name in ON_ERROR:
            value = element.get(name, element.findtext(name))
            if value != "0":
                found.append(f"<{element.tag}> can fail the installation: {name} is {value}")
    return found
