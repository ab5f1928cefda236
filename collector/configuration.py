"""Everything an operator wrote, read and checked together: policy, catalogue, schemas and menu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.publish.menu import Menu, load_menu
from schemas.catalogue import Catalogue, load_catalogue
from schemas.policy import Policy, load_policy
from schemas.problems import ConfigurationError
from schemas.reports import problems_with

if TYPE_CHECKING:
    from collector.settings import Settings


_LONGEST_MONTH = 31


@dataclass(frozen=True)
class Configuration:
    """What the processes run with."""

    policy: Policy
    catalogue: Catalogue
    menu: Menu


def read_configuration(settings: Settings) -> Configuration:
    """Policy, catalogue and menu of these settings.

    Raises:
        ConfigurationError: every problem in them. Where the policy cannot be used, catalogue and menu
            are judged by the shipped one, so that theirs are found at once too.
    """
    problems = []
    try:
        policy = load_policy(settings.policy)
    except ConfigurationError as error:
        problems += error.problems
        policy = load_policy()
    problems += [f"{settings.policy}: {problem}" for problem in problems_with(policy)]
    kept, allowed = _LONGEST_MONTH + settings.keep_after_release_days, min(p.retention_days for p in policy.permits_)
    if kept > allowed:
        problems.append(f"keep_after_release_days: rows would be kept {kept} days, the policy allows {allowed}")
    catalogue = menu = None
    try:
        catalogue = load_catalogue(policy, settings.catalogue)
    except ConfigurationError as error:
        problems += error.problems
    try:
        menu = load_menu(policy, settings.menu)
    except ConfigurationError as error:
        problems += error.problems
    if problems or catalogue is None or menu is None:
        raise ConfigurationError(problems)
    return Configuration(policy, catalogue, menu)
