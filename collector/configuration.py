"""Everything an operator wrote, read and checked together: policy, catalogue, schemas and menu.

The catalogue is the configured one and the products that were added while running, see added_products.py.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.journal import Journal
from collector.layout import Layout
from collector.publish.accounting import over_budget
from collector.publish.limits import Limits
from collector.publish.menu import SHIPPED_MENU, Menu, load_menu
from schemas.catalogue import Catalogue, load_catalogue
from schemas.policy import Policy, load_policy
from schemas.problems import ConfigurationError
from schemas.reports import problems_with

if TYPE_CHECKING:
    from collector.settings import Settings

_HOURS_OF_A_DAY = 24


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
    if problem := limits_of(settings, policy).problem():
        problems.append(problem)
    catalogue = menu = None
    try:
        added = Layout(settings.data.absolute()).added_products
        catalogue = load_catalogue(policy, settings.catalogue, added)
    except ConfigurationError as error:
        problems += error.problems
    try:
        menu = load_menu(policy, settings.menu)
        most = settings.most_epsilon_per_report, settings.most_epsilon_per_licence_month
        problems += [f"{settings.menu or SHIPPED_MENU}: {line}" for line in over_budget(menu, settings.profile, *most)]
    except ConfigurationError as error:
        problems += error.problems
    if problems or catalogue is None or menu is None:
        raise ConfigurationError(problems)
    return Configuration(policy, catalogue, menu)


def limits_of(settings: Settings, policy: Policy) -> Limits:
    """How long reports are kept under a policy: as long as it permits for the field that it permits least."""
    return Limits(
        retention_days=min(permit.retention_days for permit in policy.permits_),
        keep_after_release_days=settings.keep_after_release_days,
        closed_within_days=-(-settings.publish_at_the_latest_after_hours // _HOURS_OF_A_DAY),
    )


def accept(paths: Layout, configuration: Configuration) -> None:
    """Makes `configuration` what every process of `serve` works with from its next start on.

    A process that is started again must not meet a file that is half written or was refused.
    """
    parts = {name: part.model_dump(mode="json", by_alias=True) for name, part in vars(configuration).items()}
    temporary = paths.accepted.with_suffix(".new")
    temporary.write_text(json.dumps(parts), encoding="utf-8")
    temporary.replace(paths.accepted)


def accepted(paths: Layout) -> Configuration:
    """What the processes of `serve` work with.

    Raises:
        ConfigurationError: nothing was accepted yet.
    """
    try:
        parts = {name: json.dumps(part) for name, part in json.loads(paths.accepted.read_bytes()).items()}
        return Configuration(
            policy=Policy.model_validate_json(parts["policy"]),
            catalogue=Catalogue.model_validate_json(parts["catalogue"]),
            menu=Menu.model_validate_json(parts["menu"]),
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError([f"{paths.accepted}: cannot be used; restart `collector serve`"]) from error


def fingerprint(configuration: Configuration) -> str:
    """64 hex digits that change with any content of policy, catalogue or menu, and with nothing else."""
    parts = (configuration.policy, configuration.catalogue, configuration.menu)
    return _digest([part.model_dump(mode="json", by_alias=True) for part in parts])


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def note_taken(paths: Layout, configuration: Configuration) -> None:
    """Writes into the audit trail which policy, catalogue and menu hold from now on, if others did before."""
    parts = vars(configuration).items()
    about = ", ".join(f"{name} {_digest(part.model_dump(mode='json', by_alias=True))[:16]}" for name, part in parts)
    with closing(Journal(paths.access)) as journal:
        journal.note_if_changed("configuration_taken", about)


def in_use(paths: Layout) -> str | None:
    """The fingerprint of what the running `serve` works with; None if none has said so."""
    try:
        return paths.configuration_mark.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
