"""What a person is shown before an answer, against what is sent after a yes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.client.installbuilder.conftest import ROOM, Machine, Peer, question_page


def test_the_page_in_the_readme_is_the_one_of_the_component() -> None:
    readme = (ROOM / "README.md").read_text(encoding="utf-8")
    assert f"```text\n{question_page.page()}```\n" in readme


def _shown(page: str) -> dict[str, str]:
    lines = [line.partition(": ") for line in page.splitlines() if line.partition(":")[0] in FIELDS]
    return {name.rstrip(":"): value for name, _, value in lines}


FIELDS = ("product", "product_version", "os_version", "language")
UNIX = [
    ({}, "ubuntu-24.04", "ja"),
    ({"linux_distribution_id": "debian", "linux_distribution_release": "12"}, "debian-12", "ja"),
    ({"linux_distribution_id": "RedHatEnterprise", "linux_distribution_release": "9.3"}, "rhel-9.3", "ja"),
    ({"linux_distribution_id": "Hannah Montana Linux"}, "", "ja"),
    ({"linux_distribution_release": "24.04 LTS"}, "", "ja"),
    ({"platform_name": "osx", "osx_version": "15.1.2"}, "macos-15", "ja"),
    ({"platform_name": "osx", "osx_version": "10.15.7"}, "macos-10.15", "ja"),
    ({"platform_name": "osx", "osx_version": "10.4"}, "", "ja"),
    ({"installation_language_code": "pt_BR"}, "ubuntu-24.04", "pt-BR"),
    ({"installation_language_code": "sr@latin"}, "ubuntu-24.04", ""),
]
WINDOWS = [
    ("Windows 11", "windows-11"),
    ("Windows 10", "windows-10"),
    ("Windows 8.1", "windows-8.1"),
    ("Windows Server 2022", "windows-server-2022"),
    ("Windows 2019", "windows-server-2019"),
    ("Windows Vista", ""),
]


@pytest.mark.parametrize(("variables", "os_version", "language"), UNIX)
def test_what_is_shown_is_what_is_sent(
    variables: dict[str, str], os_version: str, language: str, machine: Machine, peer: Peer
) -> None:
    installer = machine.installer(peer.url, **variables)
    shown = _shown(installer.show_page())
    assert shown == {
        "product": "installbuilder",
        "product_version": "25.7.0",
        "os_version": os_version,
        "language": language,
    }
    installer.answer(is_yes=True)
    installer.finish()
    machine.run(installer)
    peer.wait_for(1)
    assert peer.forms == [{name: value for name, value in shown.items() if value}]


@pytest.mark.parametrize(("name", "os_version"), WINDOWS)
def test_what_is_shown_on_windows_is_what_the_program_is_told(name: str, os_version: str, machine: Machine) -> None:
    installer = machine.installer("https://example.com", platform_name="windows", windows_os_name=name)
    assert _shown(installer.show_page())["os_version"] == os_version
    installer.answer(is_yes=True)
    installer.finish()
    [(program, environment)] = installer.programs
    assert program.path == f"{machine.installed}/telemetry/send.cmd"
    assert environment["TELEMETRY_INSTALLER_OS_VERSION"] == os_version


def test_the_page_promises_nothing_that_the_policy_does_not_hold() -> None:
    page = question_page.page()
    assert "Send this report" in page
    assert "[ ]" in page
    assert "[x]" not in page
    assert "https://example.com/privacy" in page


YES, NO, NONE = "yes", "no", None


@pytest.mark.parametrize(
    ("is_shown", "box", "options", "answer"),
    [
        (True, True, "", YES),
        (True, False, "", NO),
        (False, False, "--mode unattended", NONE),
        (False, True, "--mode unattended --enable_telemetry 1", YES),
        (False, False, "--mode unattended --enable_telemetry 0", NO),
        # A file of options: a yes is one, a no cannot be told from nothing and is not remembered.
        (False, True, "--mode unattended --optionfile answers", YES),
        (False, False, "--mode unattended --optionfile answers", NONE),
    ],
)
@pytest.mark.parametrize("platform", ["linux", "windows-x64", "osx"])
def test_only_an_answer_starts_a_program_and_a_default_is_none(
    is_shown: bool, box: bool, options: str, answer: str | None, platform: str, machines: Callable[..., Machine]
) -> None:
    installer = machines().installer(
        "https://example.com", platform_name=platform, installer_command_line_arguments=options
    )
    if is_shown:
        installer.show_page()
    installer.answer(is_yes=box)
    installer.finish()
    answers = [environment["TELEMETRY_INSTALLER_ANSWER"] for _, environment in installer.programs]
    assert answers == ([answer] if answer else [])
    # What the installer starts after the component, the product for one, is told nothing.
    left = [value for name, value in installer.environment.items() if name.startswith("TELEMETRY_")]
    assert not any(left)


def test_the_key_goes_to_standard_input_and_is_forgotten(machine: Machine) -> None:
    installer = machine.installer("https://example.com")
    installer.answer(is_yes=True, license_key="EXAMPLE-0000-0000-0001")
    installer.finish()
    [(program, environment)] = installer.programs
    assert program.stdin == "EXAMPLE-0000-0000-0001"
    assert "EXAMPLE" not in program.path + program.arguments + "".join(environment.values())
    assert "EXAMPLE-0000-0000-0001" not in installer.variables.values()
