"""What was found where, collected while the program runs and after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tests.leaks.needles import Needle, find


class Evidence:
    """Looks at everything it is shown, and keeps where which needle was.

    Args:
        needles: what to look for.

    Attributes:
        found: needle -> place -> what else could be said.
        seen: every place that was looked at, with how many bytes.
    """

    def __init__(self, needles: Iterable[Needle]) -> None:
        self._needles = list(needles)
        self.found: dict[str, dict[str, str]] = defaultdict(dict)
        self.seen: dict[str, int] = {}

    def look_for_too(self, needle: Needle) -> None:
        """One needle more, in what is shown from now on."""
        self._needles.append(needle)

    def look(self, place: str, content: bytes) -> None:
        """Searches `content` for all needles."""
        self.seen[place] = self.seen.get(place, 0) + len(content)
        for needle, detail in find(self._needles, content).items():
            self.found[needle][place] = detail

    def look_at_all(self, where: str, places: Iterable[tuple[str, bytes]]) -> None:
        """Searches each of several places; `where` goes before their names."""
        for place, content in places:
            self.look(f"{where}: {place}", content)

    def outside(self, needle: str, *allowed: str) -> dict[str, str]:
        """Where a needle was found, but for places whose name begins with one of `allowed`."""
        return {place: detail for place, detail in self.found[needle].items() if not place.startswith(allowed)}
