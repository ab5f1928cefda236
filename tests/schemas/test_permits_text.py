"""The permits as lines: what an operator writes stays one printable line, and what is withdrawn is not there."""

from __future__ import annotations

import copy

from schemas.generate import permits
from schemas.permits_text import permits_text
from schemas.policy import load_policy

PERMITS = permits(load_policy())


def test_every_field_has_its_three_lines_between_the_first_and_the_last() -> None:
    first, *lines, last = permits_text(PERMITS).splitlines()
    assert (first, last) == ("product-telemetry-permits 1", "end")
    fields = sum(len(report["fields"]) for report in PERMITS["reports"].values())
    assert len(lines) == 5 + 3 * fields
    assert "image-boot/1 language sources: vm, cloud, container" in lines
    assert len({line.partition(": ")[0] for line in lines}) == len(lines)


def test_what_is_not_printable_is_escaped() -> None:
    changed = copy.deepcopy(PERMITS)
    changed["policy"]["title"] = "Datenschutz für\nalle \x1b[2J"
    text = permits_text(changed)
    assert "\npolicy title: Datenschutz f\\u00fcr\\u000aalle \\u001b[2J\npolicy dated: " in text
    assert text.isascii()


def test_field_that_is_withdrawn_has_no_line() -> None:
    changed = copy.deepcopy(PERMITS)
    del changed["reports"]["image-boot/1"]["fields"]["language"]
    assert "image-boot/1 language" not in permits_text(changed)
    assert "image-boot/1 language" in permits_text(PERMITS)
