"""What the reports room works with: published cells, the rules they were made by, and names for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.publish.claim import claim
from collector.publish.released import told
from collector.reports.hiding import IsHidden, hide, nothing_hidden
from collector.reports.products import products
from collector.reports.remembered import remembered
from collector.reports.usage import usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.publish.release import Rules
    from collector.publish.released import Released
    from collector.reports.question import Question
    from schemas.catalogue import Catalogue

_MOST_RELEASES = 1000


@dataclass(frozen=True)
class Library:
    """Answers of every kind; blocking.

    Attributes:
        released: the published cells.
        rules: menu and profile in use.
        catalogue: gives the products as they are now.
        is_hidden: which values an administrator hid.
        simulated: whether the reports were made up.
    """

    released: Released
    rules: Rules
    catalogue: Callable[[], Catalogue]
    is_hidden: IsHidden = nothing_hidden
    simulated: bool = False

    def usage(self, question: Question) -> dict[str, Any]:
        """How much something is used; see `collector.reports.usage`.

        Raises:
            UsageError: it cannot be answered; the text says what can.
        """
        answer = usage(remembered(self.released), self.rules.menu, question, simulated=self.simulated)
        hide(answer, self.is_hidden)
        return answer

    def products(self) -> dict[str, Any]:
        """The products, and how much each was used last."""
        return products(remembered(self.released), self.catalogue())

    def releases(self) -> dict[str, Any]:
        """What was released, the latest first."""
        return {"releases": [told(release) for release in self.released.releases(_MOST_RELEASES)]}

    def claim(self) -> dict[str, Any]:
        """What the published counts can reveal at the most."""
        return claim(self.rules)
