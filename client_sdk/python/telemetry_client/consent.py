"""Whether anything may be sent: a pure decision, with the rule that made it and a reason to show.

Order, first match decides, every "off" before any "on":

    1. administrator   telemetry = off in a configuration file, or a file that cannot be understood
    2. variable        TELEMETRY=off (or any word that does not clearly say on)
    3. do-not-track    DO_NOT_TRACK is set to anything but empty, 0 or false
    4. ci              a build machine
    5. answer          the answer a person just gave to the product's own question: no
    6. stored          `telemetry-client off`, by this user or for the whole machine, see choices.py
    7. the same places again, for on: answer, stored (in the directory in use), administrator, variable
    8. default         default = on in a configuration file, and none says default = off
    9. nothing         nobody has chosen: off

Where no person chose on this machine (8, and the variable, which an image may carry), a one-line notice comes
before the first send. A report whose product asks (InstallBuilder) never leaves on a default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Mapping, Optional

from telemetry_client.configuration import Configuration, switch
from telemetry_client.ownership import NOT_ALONE
from telemetry_client.text import lowered, stripped

if TYPE_CHECKING:
    from telemetry_client.state import Choice

_NO_WORDS = ("", "0", "false")
_CI_VARIABLES = (
    "CI",
    "CONTINUOUS_INTEGRATION",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "BUILDKITE",
    "CIRCLECI",
    "TRAVIS",
    "APPVEYOR",
    "DRONE",
    "SEMAPHORE",
    "TF_BUILD",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "CODEBUILD_BUILD_ID",
    "BITBUCKET_BUILD_NUMBER",
)


@dataclass(frozen=True)
class Situation:
    """Everything that bears on the decision.

    answer: what a person just answered to the product's own question; None where it did not ask.
    choices: the stored ones that concern this user, see choices.py.
    default_counts: False for a report that needs a person's answer.
    counts_nothing: a dry run, which an image build makes on a build machine.
    """

    configuration: Configuration
    environ: Mapping[str, str]
    choices: tuple[Choice, ...] = ()
    answer: Optional[bool] = None
    default_counts: bool = True
    counts_nothing: bool = False


@dataclass(frozen=True)
class Decision:
    """May it be sent, which rule says so, why in words, and must a notice come first."""

    is_on: bool
    rule: str
    reason: str
    needs_notice: bool = False


def decide(situation: Situation) -> Decision:
    """The decision for this situation."""
    return _off(situation) or _on(situation) or Decision(False, "nothing", "nobody has switched it on")


def _off(situation: Situation) -> Optional[Decision]:
    return (
        _configured_off(situation.configuration)
        or _environment_off(situation.environ, counts_nothing=situation.counts_nothing)
        or _person_off(situation)
    )


def _configured_off(configuration: Configuration) -> Optional[Decision]:
    for setting in configuration.telemetry:
        if setting.value == "off":
            return Decision(False, "administrator", f"{setting.origin} says off")
    for path in configuration.foreign:
        return Decision(False, "administrator", f"{path} is {NOT_ALONE}")
    if configuration.problems:
        return Decision(False, "administrator", f"{configuration.problems[0]}, which counts as off")
    return None


def _environment_off(environ: Mapping[str, str], *, counts_nothing: bool) -> Optional[Decision]:
    stated = stripped(environ.get("TELEMETRY", ""))
    if stated and switch(stated) != "on":
        says = "says off" if switch(stated) == "off" else "does not clearly say on"
        return Decision(False, "variable", f"the environment variable TELEMETRY {says}")
    if _is_set(environ, "DO_NOT_TRACK"):
        return Decision(False, "do-not-track", "the environment variable DO_NOT_TRACK is set")
    if not counts_nothing:
        for name in _CI_VARIABLES:
            if _is_set(environ, name):
                return Decision(False, "ci", f"this is a build machine: {name} is set")
    return None


def _person_off(situation: Situation) -> Optional[Decision]:
    if situation.answer is False:
        return Decision(False, "answer", "the answer to the product's question was no")
    for choice in situation.choices:
        if not choice.is_on:
            says = "says off" if choice.is_readable else "cannot be read, which counts as off"
            says = f"is {NOT_ALONE}" if choice.is_foreign else says
            return Decision(False, "stored", f"{choice.origin} {says}")
    return None


def _on(situation: Situation) -> Optional[Decision]:
    if situation.answer:
        return Decision(True, "answer", "the answer to the product's question was yes")
    for choice in situation.choices:
        if choice.is_own:
            return Decision(True, "stored", f"{choice.origin} says on")
    for setting in situation.configuration.telemetry:
        return Decision(True, "administrator", f"{setting.origin} says on")
    if stripped(situation.environ.get("TELEMETRY", "")):
        return Decision(True, "variable", "the environment variable TELEMETRY says on", needs_notice=True)
    defaults = situation.configuration.default
    if situation.default_counts and defaults and all(setting.value == "on" for setting in defaults):
        reason = f"nobody has chosen, and {defaults[0].origin} sets the default to on"
        return Decision(True, "default", reason, needs_notice=True)
    return None


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return lowered(stripped(environ.get(name, ""))) not in _NO_WORDS
