"""The component and its example against what is known of InstallBuilder: a smoke test, InstallBuilder was not run."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from schemas.reports import InstallBuilderRun
from telemetry_client.consent import _CI_VARIABLES
from tests.client.installbuilder.installbuilder_schema import (
    ELEMENTS,
    NO_VARIABLES,
    ON_ERROR,
    VARIABLES,
    parse,
    problems,
)
from tests.conftest import PROJECT

ROOM = PROJECT / "client_sdk/installbuilder"
COMPONENT = (ROOM / "telemetry.xml").read_text(encoding="utf-8")
EXAMPLE = (ROOM / "example/example.xml").read_text(encoding="utf-8")


def test_component_and_example_hold_nothing_that_is_not_known() -> None:
    assert problems(COMPONENT) == []
    assert problems(EXAMPLE) == []


@pytest.mark.parametrize(
    ("good", "broken", "problem"),
    [
        ("</component>", "", "not well-formed"),
        ("</component>", "</component><component/>", "not well-formed"),
        ("<component>", "<component><sslCAFile>x</sslCAFile>", "<component> has no property sslCAFile"),
        ("<component>", "<component><enableSslSupport>1</enableSslSupport>", "no property enableSslSupport"),
        ("<name>telemetry</name>\n  <description>", "<description>", "<component> has no name"),
        ("<show>0</show>", "<show>no</show>", "show of <component> cannot be 'no'"),
        ("<show>0</show>", "<show>0</show><show>1</show>", "<component> has show twice"),
        ("checkbox-left", "checkbox", "displayStyle of <booleanParameter> cannot be 'checkbox'"),
        ("<default>0</default>", "<default>yes</default>", "default of <booleanParameter> cannot be 'yes'"),
        ("<postInstallationActionList>", "<postInstallationActionList><timeout/>", "<timeout> is not known"),
        ("<postInstallationActionList>", "<postInstallationActionList><isTrue value='1'/>", "<isTrue> may not stand"),
        ("<postInstallationActionList>", "<postInstallationActionList><httpPost/>", "<httpPost> is not known"),
        ("<postInstallationActionList>", "<postInstallationActionList a='b'>", "has attributes"),
        ("<folderList>", "<parameterGroup><name>a</name></parameterGroup><folderList>", "may not stand in <component>"),
        ("<program>/bin/sh</program>", "", "<runProgram> has no program"),
        ("<program>/bin/sh</program>", "<program>/bin/sh</program><timeout>8</timeout>", "no property timeout"),
        ("<abortOnError>0</abortOnError>", "", "abortOnError is None"),
        ("<showMessageOnError>0</showMessageOnError>", "<showMessageOnError>1</showMessageOnError>", "OnError is 1"),
        (' showMessageOnError="0"/>', "/>", "<setInstallerVariable> can fail the installation"),
        ("${product_version}", "${installbuilder_version}", "variable installbuilder_version is not known"),
        ("${installation_language_code}", "${installer_language_code}", "installer_language_code is not known"),
        ("${telemetry_url}", "${installation_guid}", "variable installation_guid is not known"),
        ("${telemetry_url}", "${telemetry_url", "is not closed"),
        ("${telemetry_url}", "${telemetry_address}", "variable telemetry_address is not known"),
        ('logic="contains"', 'logic="has"', "logic of <compareText> cannot be 'has'"),
    ],
)
def test_a_broken_file_is_found(good: str, broken: str, problem: str) -> None:
    assert good in COMPONENT
    assert any(problem in found for found in problems(COMPONENT.replace(good, broken, 1)))


@pytest.mark.parametrize(
    ("good", "broken", "problem"),
    [
        ("<componentList>", "<include file='a.xml'/><componentList>", "<project> has no property include"),
        ('<include file="telemetry/telemetry.xml"/>', "<include/>", "<include> has no file"),
        ("<version>1.2.3</version>", "", "<project> has no version"),
    ],
)
def test_a_broken_example_is_found(good: str, broken: str, problem: str) -> None:
    assert good in EXAMPLE
    assert any(problem in found for found in problems(EXAMPLE.replace(good, broken, 1)))


def test_what_cannot_be_included_is_found() -> None:
    assert problems("<actionList/>") == ["<actionList> can neither be a project nor be included"]


def test_the_tables_know_no_variable_that_is_none() -> None:
    assert not NO_VARIABLES & set(VARIABLES)
    assert "httpPost" not in ELEMENTS
    assert "installation_guid" not in COMPONENT + EXAMPLE


def test_the_example_includes_the_component_in_a_list_and_overrides_only_what_it_knows() -> None:
    project, component = parse(EXAMPLE), parse(COMPONENT)
    assert [include.get("file") for include in project.findall("componentList/include")] == ["telemetry/telemetry.xml"]
    path = "initializationActionList/setInstallerVariable"
    assert {e.get("name") for e in project.findall(path)} <= {e.get("name") for e in component.findall(path)}


def test_what_the_component_packs_lies_beside_it() -> None:
    origins = [origin.text or "" for origin in parse(COMPONENT).iter("origin")]
    packed = [origin.removeprefix("${build_project_directory}/telemetry/") for origin in origins]
    assert packed == ["send.sh", "send.cmd"]
    assert all((ROOM / name).is_file() for name in packed)
    # cmd reads labels wrongly in a file with bare line feeds.
    assert (ROOM / "send.cmd").read_bytes().replace(b"\r\n", b"").count(b"\n") == 0


def test_the_twins_know_the_same_build_machines_fields_and_limits() -> None:
    unix = (ROOM / "send.sh").read_text(encoding="utf-8")
    windows = (ROOM / "send.cmd").read_text(encoding="utf-8")
    build_machines = set(_CI_VARIABLES)
    assert set(re.findall(r"\$\{([A-Z_]+)-\}", unix.partition("for value in")[2].partition("do")[0])) == build_machines
    [named] = re.findall(r"in \(DO_NOT_TRACK ([A-Z_ ]+)\)", windows)
    assert set(named.split()) == build_machines
    for option in ("-q", "--proto =https", "--max-redirs 0", "--connect-timeout 3", "-m 8", "-A product-telemetry/1"):
        assert all(re.search(rf"[ =]{re.escape(option)}\s", program) for program in (unix, windows)), option
    fields = set(InstallBuilderRun.model_fields) - {"report_id"}
    assert set(re.findall(r"add_field (\w+)", unix)) == fields
    assert {field for field in fields if f"{field}=" in windows or f"{field}@" in windows} == fields


def test_the_box_is_empty_until_a_person_ticks_it() -> None:
    box = parse(COMPONENT).find(".//booleanParameter[name='telemetry']")
    assert box is not None
    assert (box.findtext("value"), box.findtext("default")) == ("0", "0")
    assert box.findtext("cliOptionName") == "enable_telemetry"


def test_nothing_that_varies_is_an_argument_and_only_standard_input_holds_the_key() -> None:
    component = parse(COMPONENT)
    for program in component.iter("runProgram"):
        line = program.findtext("program", "") + program.findtext("programArguments", "")
        assert set(line.split("${")[1:]) <= {'installdir}/telemetry/send.sh"', "installdir}/telemetry/send.cmd"} | {
            'installdir}/telemetry/send.sh" --license-key-stdin',
            "installdir}/telemetry/send.cmd--license-key-stdin",
        }
    holders = [e.tag for e in component.iter() for t in (e.text or "", *e.attrib.values()) if "${telemetry_lic" in t]
    assert sorted(set(holders)) == ["compareText", "stdin"]


def test_nothing_is_left_for_the_uninstaller_or_a_program_that_is_started_later() -> None:
    actions = parse(COMPONENT).findall("postInstallationActionList/*")
    last_program = max(n for n, action in enumerate(actions) if action.tag == "runProgram")
    cleared = {action.get("name") for action in actions[last_program:] if action.get("value") == ""}
    set_before = {action.get("name") for action in actions if action.tag == "setEnvironmentVariable"}
    assert cleared == set_before | {"telemetry_license_key"}


def test_page_and_end_take_the_language_from_the_same_list() -> None:
    component = parse(COMPONENT)

    def languages(path: str) -> list[bytes]:
        found = component.findall(f"{path}/setInstallerVariable[@name='telemetry_language']")
        return [b"".join(ET.tostring(action).split()) for action in found]

    at_the_page = languages("parameterList/parameterGroup/preShowPageActionList")
    assert len(at_the_page) > 3
    assert at_the_page == languages("postInstallationActionList")


def test_every_action_has_both_ways_to_stay_silent() -> None:
    assert set(ON_ERROR) == {"abortOnError", "showMessageOnError"}
    actions = [e for e in parse(COMPONENT).iter() if e.tag in ELEMENTS and ELEMENTS[e.tag].kind == "action"]
    assert len(actions) > 50
