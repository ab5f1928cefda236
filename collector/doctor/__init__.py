"""What uses the disk, what is stuck, and what may go: looks at a data directory and changes nothing in it.

Each check is a function from a `Case` to findings. A check that fails says so and hides no other: the
doctor is asked when things are broken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.doctor import access, configured, disk, kept, leftovers, stuck
from collector.doctor.case import Case, open_case
from collector.doctor.finding import Finding, Severity

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable

    from collector.settings import Settings

_CHECKS: dict[str, Callable[[Case], Iterable[Finding]]] = {
    "disk": disk.check,
    "stuck": stuck.check,
    "permissions": access.check,
    "configuration": configured.check,
    "retention": kept.check,
    "may go": leftovers.check,
}


@dataclass(frozen=True)
class Examination:
    """What was found, by section, in the order in which it is shown."""

    data: str
    serving: bool
    disk: dict[str, Any]
    sections: dict[str, list[Finding]]

    @property
    def findings(self) -> list[Finding]:
        """All that wants something done, the worst first."""
        found = [one for findings in self.sections.values() for one in findings if one.severity > Severity.OK]
        return sorted(found, key=lambda one: -one.severity)


def examine(settings: Settings, now: dt.datetime) -> Examination:
    """Looks at the data directory of these settings, at `now` (UTC)."""
    data = settings.data.absolute()
    try:
        next(data.iterdir(), None)
    except PermissionError:
        return Examination(str(data), serving=False, disk={}, sections={"permissions": [_not_readable(data)]})
    except OSError:
        pass  # the checks say what it is
    case = open_case(settings, now)
    sections = {section: _run(check, case) for section, check in _CHECKS.items()}
    try:
        used = disk.figures(case)
    except OSError:
        used = {}
    return Examination(str(data), case.serving, used, sections)


def _run(check: Callable[[Case], Iterable[Finding]], case: Case) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(case))
    except PermissionError as error:
        found.append(_not_readable(error.filename))
    except Exception as error:  # noqa: BLE001 - one check that fails must not hide what the others find
        found.append(
            Finding.problem(
                f"not everything could be looked at ({getattr(error, 'strerror', None) or type(error).__name__})",
                "mend what the other findings name, and run this again",
            )
        )
    return found


def _not_readable(path: object) -> Finding:
    return Finding.problem(
        f"{path} cannot be read by this user, so not everything was looked at",
        "run this as the user that runs `collector serve`",
    )
