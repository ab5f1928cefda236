"""What the question page of telemetry.xml says, and what the component would run: a stand-in for InstallBuilder.

    python3 client_sdk/installbuilder/question_page.py

prints the page as it stands in README.md. The stand-in knows the few actions and rules that telemetry.xml uses, as
they are described, and no more: it is no InstallBuilder. Standard library only.
"""

# ruff: noqa: INP001 - a program beside the file it reads, not a package

from __future__ import annotations

import re
import textwrap
import xml.etree.ElementTree as ET  # the file is ours
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPONENT = Path(__file__).parent / "telemetry.xml"
WIDTH = 100
# What InstallBuilder would know on the machine of the page in README.md.
SHOWN_ON: Mapping[str, str] = {
    "product_fullname": "InstallBuilder",
    "product_version": "25.7.0",
    "platform_name": "windows",
    "windows_os_name": "Windows 11",
    "installation_language_code": "pt_BR",
    "installdir": "C:/Program Files/InstallBuilder",
}
_VARIABLE = re.compile(r"\$\{([^{}]+)\}")


class Program(NamedTuple):
    """A program that the component would start: its path, its arguments as written, and its standard input or None."""

    path: str
    arguments: str
    stdin: str | None


class Installer:
    """One run of an installer with the component in it.

    Args:
        variables: what InstallBuilder knows, by name.
        environment: of the installer's process; the component adds to it.
        component: the XML.
    """

    def __init__(self, variables: Mapping[str, str], environment: Mapping[str, str], component: str = "") -> None:
        self.root = ET.fromstring(component or COMPONENT.read_text(encoding="utf-8"))  # noqa: S314 - ours
        self.variables = dict(variables)
        self.environment = dict(environment)
        # Each with the environment it starts in.
        self.programs: list[tuple[Program, dict[str, str]]] = []
        for parameter in self._parameters():
            self.variables[_text(parameter, "name")] = _text(parameter, "default")
        self._run("initializationActionList")

    def show_page(self) -> str:
        """Shows the question page, as graphical and text mode do; what it says."""
        group = self.root.find("parameterList/parameterGroup")
        assert group is not None  # noqa: S101 - ours
        self._run("parameterList/parameterGroup/preShowPageActionList")
        title = self.resolve(_text(group, "title"))
        parts = [f"{title}\n{'=' * len(title)}", _filled(self.resolve(_text(group, "explanation")))]
        for parameter in group.findall("parameterList/*"):
            if parameter.tag == "infoParameter":
                heading, value = (self.resolve(_text(parameter, name)) for name in ("title", "value"))
                parts.append(f"{heading}\n{'-' * len(heading)}\n{_filled(value)}")
            else:
                field = "[ ] " if parameter.tag == "booleanParameter" else "[____________________] "
                parts.append(field + self.resolve(_text(parameter, "description")))
        return "\n\n".join(parts) + "\n"

    def answer(self, *, is_yes: bool, license_key: str = "") -> None:
        """What a person does on the page, or, without the page, the option `--enable_telemetry` in unattended mode."""
        self.variables["telemetry"] = "1" if is_yes else "0"
        self.variables["telemetry_license_key"] = license_key

    def finish(self) -> None:
        """The end of the installation."""
        self._run("postInstallationActionList")

    def resolve(self, text: str) -> str:
        """`text` with its variables replaced once: a value that looks like a variable stays as it is."""
        return _VARIABLE.sub(lambda found: self._value(found.group(1)), text)

    def _value(self, name: str) -> str:
        if found := re.fullmatch(r"env\((\w+)\)", name):
            return self.environment.get(found.group(1), "")
        return self.variables.get(name.removesuffix(".password"), f"***unknown variable {name}***")

    def _parameters(self) -> list[ET.Element]:
        tags = ("booleanParameter", "stringParameter")
        return [parameter for parameter in self.root.iter() if parameter.tag in tags]

    def _run(self, actions: str) -> None:
        for action in self.root.findall(f"{actions}/*"):
            if not all(self._holds(rule) for rule in action.findall("ruleList/*")):
                continue
            if action.tag == "setInstallerVariable":
                self.variables[_text(action, "name")] = self.resolve(_text(action, "value"))
            elif action.tag == "setEnvironmentVariable":
                self.environment[_text(action, "name")] = self.resolve(_text(action, "value"))
            elif action.tag == "runProgram":
                self._start(action)
            else:
                raise NotImplementedError(action.tag)

    def _start(self, action: ET.Element) -> None:
        stdin = action.find("stdin")
        program = Program(
            self.resolve(_text(action, "program")),
            self.resolve(_text(action, "programArguments")),
            None if stdin is None else self.resolve(stdin.text or ""),
        )
        self.programs.append((program, dict(self.environment)))

    def _holds(self, rule: ET.Element) -> bool:
        text = self.resolve(rule.get("text", ""))
        if rule.tag in ("isTrue", "isFalse"):
            is_true = self.resolve(rule.get("value", "")).lower() in ("1", "true", "yes", "on")
            return is_true is (rule.tag == "isTrue")
        if rule.tag == "regExMatch":
            return bool(re.search(rule.get("pattern", ""), text)) is (rule.get("logic") == "matches")
        if rule.tag != "compareText":
            raise NotImplementedError(rule.tag)
        value, logic = self.resolve(rule.get("value", "")), rule.get("logic", "equals")
        if rule.get("nocase") == "1":
            text, value = text.lower(), value.lower()
        is_found = value in text if logic in ("contains", "does_not_contain") else value == text
        return is_found is (not logic.startswith("does_not_"))


def _text(element: ET.Element, name: str) -> str:
    """A property, which may be written as an attribute or as an element."""
    return element.get(name) or element.findtext(name) or ""


def _filled(text: str) -> str:
    lines = (textwrap.fill(line, WIDTH) if len(line) > WIDTH else line for line in text.splitlines())
    return "\n".join(lines)


def page() -> str:
    """The page on the machine of README.md."""
    return Installer(SHOWN_ON, {}).show_page()


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - a program that prints
