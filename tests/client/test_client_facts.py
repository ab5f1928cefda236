"""Each fact from the place that tells it, on fake machines."""

from __future__ import annotations

import json
import os
import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from telemetry_client.assignments import last_values, read_assignments
from telemetry_client.fact import Fact
from telemetry_client.facts import Given, collect
from telemetry_client.instance_type import DMI, INSTANCE_DATA, detect_instance_type
from telemetry_client.language import detect_language, to_bcp47
from telemetry_client.os_version import detect_os_version
from telemetry_client.permits import load_permits
from telemetry_client.product import COMPONENTS, PROPERTIES, detect_product
from telemetry_client.report import compose
from telemetry_client.source import detect_source

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import BuildMachine, Place

PERMITS = load_permits()
IMAGE_FIELDS = PERMITS.reports["image-boot/1"].fields


@pytest.mark.parametrize(
    ("os_release", "expected"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "debian-12"),
        ("ID=ubuntu\nVERSION_ID='22.04'\n", "ubuntu-22.04"),
        ('NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n', "arch"),
        ('ID="opensuse-leap"\nVERSION_ID="15.5"\n', "opensuse-leap-15.5"),
        ('ID="photon"\nVERSION_ID=5.0\n', "photon-5.0"),
        ("# a comment\n\nID = alpine\nVERSION_ID=3.19.1\n", "alpine-3.19.1"),
        ("ID=Fedora\nVERSION_ID=41\n", "fedora-41"),
    ],
)
def test_os_release_gives_name_and_version(os_release: str, expected: str, place: Place, machine: BuildMachine) -> None:
    place("/etc/os-release", os_release)
    assert detect_os_version(machine()) == Fact(expected, "/etc/os-release")
    assert IMAGE_FIELDS["os_version"].admits(expected)


def test_os_release_is_parsed_and_never_executed(place: Place, machine: BuildMachine, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    place("/etc/os-release", f'ID=$(touch {trap})\nVERSION_ID="`touch {trap}`"\n')
    fact = detect_os_version(machine())
    assert not trap.exists()
    assert fact is None or not IMAGE_FIELDS["os_version"].admits(fact.value)


def test_os_release_falls_back_to_usr_lib_and_then_to_the_image(place: Place, machine: BuildMachine) -> None:
    flavoured = machine({"OS_FLAVOUR": "debian-12"})
    assert detect_os_version(flavoured) == Fact("debian-12", "environment OS_FLAVOUR")
    place("/usr/lib/os-release", "ID=debian\nVERSION_ID=13\n")
    assert detect_os_version(flavoured) == Fact("debian-13", "/usr/lib/os-release")
    assert detect_os_version(machine(system="linux", windows_build=22000)) is not None


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"system": "win32", "windows_build": 22000}, "windows-11"),
        ({"system": "win32", "windows_build": 21999}, "windows-10"),
        ({"system": "win32", "windows_build": 26100}, "windows-11"),
        ({"system": "win32", "windows_build": 20348, "windows_is_server": True}, "windows-server-2022"),
        ({"system": "win32", "windows_build": 26100, "windows_is_server": True}, "windows-server-2025"),
        ({"system": "darwin", "macos_release": "14.4.1"}, "macos-14"),
        ({"system": "darwin", "macos_release": "10.15.7"}, "macos-10.15"),
    ],
)
def test_windows_and_macos_are_told_by_their_numbers(
    properties: dict[str, Any], expected: str, machine: BuildMachine
) -> None:
    fact = detect_os_version(machine(**properties))
    assert fact is not None
    assert fact.value == expected
    assert IMAGE_FIELDS["os_version"].admits(expected)


@pytest.mark.parametrize(
    ("locale", "tag"),
    [
        ("en_US.UTF-8", "en-US"),
        ("pt_BR", "pt-BR"),
        ("de", "de"),
        ("sr_RS@latin", "sr-Latn-RS"),
        ("sr_RS.UTF-8@latin", "sr-Latn-RS"),
        ("uz_UZ@cyrillic", "uz-Cyrl-UZ"),
        ("de_DE@euro", "de-DE"),
        ("es_419", "es-419"),
        ("zh-Hans-CN", "zh-Hans-CN"),
        ("ca_ES@valencia", "ca-ES"),
        ("C", "und"),
        ("C.UTF-8", "und"),
        ("POSIX", "und"),
    ],
)
def test_a_locale_becomes_a_language_tag(locale: str, tag: str) -> None:
    assert to_bcp47(locale) == tag
    assert IMAGE_FIELDS["language"].admits(tag)


def test_the_first_locale_variable_that_is_not_empty_wins(place: Place, machine: BuildMachine) -> None:
    every = {"LC_ALL": "de_DE", "LC_MESSAGES": "fr_FR", "LANG": "it_IT"}
    place("/etc/locale.conf", "LANG=es_ES.UTF-8\n")
    place("/etc/default/locale", 'LANG="pl_PL.UTF-8"\n')
    assert detect_language(machine(every)) == Fact("de-DE", "environment LC_ALL")
    assert detect_language(machine({**every, "LC_ALL": ""})) == Fact("fr-FR", "environment LC_MESSAGES")
    assert detect_language(machine({"LANG": "it_IT"})) == Fact("it-IT", "environment LANG")
    assert detect_language(machine()) == Fact("es-ES", "/etc/locale.conf LANG")


def test_without_any_locale_there_is_no_language(machine: BuildMachine) -> None:
    assert detect_language(machine()) is None
    assert detect_language(machine(system_locale="pt-BR")) == Fact("pt-BR", "system locale")


@for_all(st.text(max_size=40))
def test_any_locale_gives_a_permitted_tag_or_one_that_is_dropped(locale: str) -> None:
    report = compose(PERMITS, {"language": Fact(to_bcp47(locale), "environment LANG")})
    sent = json.loads(report.body).get("language")
    assert sent is None or re.fullmatch(r"und|[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?", sent)


@for_all(st.text(max_size=200))
def test_any_text_can_be_read_as_assignments(text: str) -> None:
    assert all(isinstance(found.value, str) for found in read_assignments(text))
    assert "" not in last_values(text)


@pytest.mark.parametrize(
    ("firmware", "expected", "origin"),
    [
        (
            ({"sys_vendor": "Amazon EC2\n", "product_name": "t3.micro\n"}, None),
            "t3.micro",
            DMI + "product_name",
        ),
        (
            (
                {"sys_vendor": "Amazon EC2", "product_name": "HVM domU"},
                {"ds": {"meta_data": {"instance-type": "m4.large"}}},
            ),
            "m4.large",
            "ds.meta_data.instance-type",
        ),
        (
            ({}, {"ds": {"dynamic": {"instance-identity": {"document": {"instanceType": "c5.xlarge"}}}}}),
            "c5.xlarge",
            "instanceType",
        ),
        (
            (
                {"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"},
                {"ds": {"meta_data": {"imds": {"compute": {"vmSize": "Standard_B2s"}}}}},
            ),
            "Standard_B2s",
            "vmSize",
        ),
    ],
)
def test_instance_type_from_firmware_or_cloud_init(
    firmware: tuple[dict[str, str], object],
    expected: str,
    origin: str,
    place: Place,
    machine: BuildMachine,
) -> None:
    dmi, cloud_init = firmware
    for name, text in dmi.items():
        place(DMI + name, text)
    if cloud_init is not None:
        place(INSTANCE_DATA, json.dumps(cloud_init))
    fact = detect_instance_type(machine())
    assert fact is not None
    assert fact.value == expected
    assert origin in fact.origin
    assert IMAGE_FIELDS["instance_type"].admits(expected)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"ds": 5}', '{"ds": {"meta_data": {"instance-type": 7}}}', "[" * 100_000]
)
def test_broken_cloud_init_data_is_no_instance_type(text: str, place: Place, machine: BuildMachine) -> None:
    place(INSTANCE_DATA, text)
    assert detect_instance_type(machine()) is None


def test_a_desktop_pc_sends_no_product_name_of_its_own(place: Place, machine: BuildMachine) -> None:
    place(DMI + "sys_vendor", "Example Computers")
    place(DMI + "product_name", "Desk.9000")
    assert detect_instance_type(machine()) is None


@pytest.mark.parametrize(
    ("files", "env", "expected"),
    [
        ({"/.dockerenv": ""}, {}, "container"),
        ({"/run/.containerenv": ""}, {}, "container"),
        ({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "container"),
        ({"/proc/1/cgroup": "12:pids:/kubepods/pod1"}, {}, "container"),
        ({"/proc/1/cgroup": "0::/init.scope", DMI + "sys_vendor": "Amazon EC2"}, {}, "cloud"),
        ({DMI + "product_name": "Google Compute Engine"}, {}, "cloud"),
        ({DMI + "chassis_asset_tag": "OracleCloud.com"}, {}, "cloud"),
        ({"/.dockerenv": "", DMI + "sys_vendor": "Amazon EC2"}, {}, "container"),
        ({DMI + "sys_vendor": "VMware, Inc."}, {}, "vm"),
        ({}, {}, "vm"),
    ],
)
def test_source(
    files: dict[str, str],
    env: dict[str, str],
    expected: str,
    place: Place,
    machine: BuildMachine,
) -> None:
    for path, text in files.items():
        place(path, text)
    assert detect_source(machine(env)).value == expected


def test_product_sources_are_asked_in_their_order(place: Place, machine: BuildMachine) -> None:
    image = {"BITNAMI_APP_NAME": "redis", "APP_VERSION": "7.2.4"}
    own = {"TELEMETRY_PRODUCT": "nginx", "TELEMETRY_PRODUCT_VERSION": "1.25.3-1"}
    place(PROPERTIES, "[General]\nbase_stack_key=wordpress\nbase_stack_version=6.4.2-0\n")
    given = Fact("given", "given by the caller"), Fact("1.0", "given by the caller")

    def names(environ: dict[str, str], *facts: Fact | None) -> tuple[str, str]:
        product, version = detect_product(machine(environ), *(facts or (None, None)))
        return (product.value if product else "", version.value if version else "")

    assert names({**own, **image}, *given) == ("given", "1.0")
    assert names({**own, **image}) == ("nginx", "1.25.3-1")
    assert names(image) == ("redis", "7.2.4")
    assert names({}) == ("wordpress", "6.4.2-0")
    assert names({"APP_VERSION": "9.9"}) == ("wordpress", "6.4.2-0")


def test_a_version_is_never_taken_from_another_product(place: Place, machine: BuildMachine) -> None:
    components = {"wordpress": {"version": "6.4.2-0"}, "php": {"version": "8.2.1-0"}}
    place(COMPONENTS, json.dumps(components))
    image = machine({"BITNAMI_APP_NAME": "wordpress"})
    assert detect_product(image, None, None)[1] == Fact("6.4.2-0", f"{COMPONENTS} wordpress")
    assert detect_product(image, Fact("mariadb", "given"), None)[1] is None
    assert detect_product(machine(), None, None) == (None, None)
    redis = machine({"BITNAMI_APP_NAME": "redis", "APP_VERSION": "7.2.4"})
    assert detect_product(redis, Fact("mariadb", "given"), None)[1] is None


def test_a_single_component_is_the_product(place: Place, machine: BuildMachine) -> None:
    place(COMPONENTS, '{"redis": {"type": "NAMI", "version": "7.2.4-0"}}')
    product, version = detect_product(machine(), None, None)
    assert (product, version) == (Fact("redis", COMPONENTS), Fact("7.2.4-0", f"{COMPONENTS} redis"))


def test_a_fact_without_its_format_is_left_out_and_said_so_without_its_value(
    place: Place, machine: BuildMachine
) -> None:
    place("/etc/os-release", "ID=my_secret host.example.com\n")
    place("/etc/os-release", 'ID="secret host"\n')
    report = compose(PERMITS, collect(machine(), Given(product="wordpress", product_version="6.4.2-0")))
    assert "os_version" not in json.loads(report.body)
    assert [left.field for left in report.left_out] == ["os_version"]
    assert "secret" not in report.left_out[0].why


def test_unknown_optional_facts_are_left_out_and_required_ones_are_named(machine: BuildMachine) -> None:
    report = compose(PERMITS, collect(machine(), Given()))
    assert set(json.loads(report.body)) == {"report_id", "source"}
    assert set(report.missing) == {"product", "product_version"}


def test_each_report_has_a_random_id_of_its_own(machine: BuildMachine) -> None:
    facts = collect(machine(), Given(product="wordpress", product_version="6.4.2-0"))
    ids = {json.loads(compose(PERMITS, facts).body)["report_id"] for _ in range(50)}
    assert len(ids) == 50
    assert {uuid.UUID(each).version for each in ids} == {4}


def test_a_key_given_for_an_image_is_not_sent(machine: BuildMachine) -> None:
    given = Given(product="wordpress", product_version="6.4.2-0", license_key="EXAMPLE-0000-0000-0000")
    report = compose(PERMITS, collect(machine(), given))
    assert b"EXAMPLE" not in report.body
    assert not report.carries_key


def test_a_pipe_in_place_of_a_file_does_not_block(root: Path, machine: BuildMachine) -> None:
    (root / "etc").mkdir()
    os.mkfifo(root / "etc/os-release")
    assert detect_os_version(machine()) is None


def test_a_source_that_is_none_is_not_repeated(machine: BuildMachine) -> None:
    report = compose(PERMITS, collect(machine({"TELEMETRY_SOURCE": "\x1b[31mred"}), Given(language="de")))
    assert "red" not in repr(report.left_out)
    assert ("language", "not permitted from this source") in report.left_out
