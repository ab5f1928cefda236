"""The shell client's own list of permits says what the published one says, in every shell."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from schemas.shell_permits import ORDER, check, shell_block, with_permits
from tests.client.shell.shells import call, each_shell, run

PROJECT = Path(__file__).parents[3]
PUBLISHED = json.loads((PROJECT / "schemas/published/permits.json").read_text(encoding="utf-8"))
EXAMPLES = {
    f"{path.parent.name.rpartition('-')[0]}/{path.parent.name.rpartition('-')[2]}:{path.name}": path
    for path in sorted((PROJECT / "schemas/examples").glob("*/*.pass.json"))
}
FIELDS = [(report, field) for report, terms in PUBLISHED["reports"].items() for field in terms["fields"]]
_CHARACTERS = "azAZ09-._+~/=:@ \n\té\x7f*?[]"


def _rule(report: str, field: str) -> dict[str, Any]:
    return PUBLISHED["reports"][report]["fields"][field]


def _admits(rule: dict[str, Any], value: str) -> bool:
    if "enum" in rule:
        return value in rule["enum"]
    return len(value.encode()) <= rule["maxLength"] and re.fullmatch(rule["pattern"][1:-1], value) is not None


def _values(report: str, field: str) -> list[str]:
    """Good ones, each of them with one character changed, added or taken away, and noise."""
    chance = random.Random(f"{report}{field}")
    good = {
        "report_id": ["01234567-89ab-4cde-8f01-23456789abcd"],
        "language": ["und", "pt-BR", "sr-Latn-RS", "es-419", "zh-Hant"],
        "license_key": ["EXAMPLE8", "a" * 128, "A1+/=_.:-"],
        "product": ["wordpress", "a-b-c", "a" * 48],
        "product_version": ["1", "6.4.2-0", "1a.b~c+d_e-f"],
        "os_version": ["debian-12", "arch", "a.b_c-d"],
        "instance_type": ["t3.micro", "2a", "Standard_D2s_v3", "0.a"],
        "source": ["vm", "cloud", "container"],
    }[field]
    values = {"", "\n", "a\nb", "undund", "*", "x" * 200}
    for value in good:
        values.add(value)
        values |= {value + "\n", "\n" + value, value + "-", "-" + value, value * 20}
        for _ in range(25):
            at = chance.randrange(len(value))
            other = chance.choice(_CHARACTERS)
            values |= {
                value[:at] + other + value[at:],
                value[:at] + other + value[at + 1 :],
                value[:at] + value[at + 1 :],
            }
    return sorted(values)


@each_shell
@pytest.mark.parametrize(("report", "field"), FIELDS)
def test_formats_admit_what_the_policy_admits(shell: str, report: str, field: str) -> None:
    values = _values(report, field)
    code = 'r=$1 f=$2; shift 2; for v in "$@"; do if admits "$r" "$f" "$v"; then printf y; else printf n; fi; done'
    ran = call(shell, code, report, field, *values)
    assert ran.err == ""
    told = dict(zip(values, ran.out, strict=True))
    assert [value for value in values if (told[value] == "y") != _admits(_rule(report, field), value)] == []
    assert "y" in ran.out
    assert "n" in ran.out


@each_shell
@pytest.mark.parametrize("report", PUBLISHED["reports"])
def test_terms_are_those_of_the_policy(shell: str, report: str) -> None:
    code = """
        terms "$1"; printf "%s\n" "$path" "$sources"
        for f in $fields; do permit "$1" "$f"; printf "%s\n" "$f" "$allowed" "$purpose" "$clause"; done
    """
    told = call(shell, code, report).out.splitlines()
    terms = PUBLISHED["reports"][report]
    expected = [terms["path"], " ".join(terms["sources"])]
    for field in [name for name in ORDER if name in terms["fields"]]:
        rule = terms["fields"][field]
        expected += [field, f" {' '.join(rule['sources'])} ", rule["purpose"], rule["clause"]]
    assert told == expected
    for name in ("image-boot/2", "", "image-boot/1 "):
        assert call(shell, 'terms "$1"', name).code == 1
    assert call(shell, 'permit image-boot/1 license_key || admits image-boot/1 license_key "$1"', "EXAMPLE8").code == 1


@each_shell
def test_examples_of_the_schemas_are_made_again(shell: str, tmp_path: Path) -> None:
    chosen = dict(list(EXAMPLES.items())[:: 3 if shell == "dash" else 9])
    for name, path in chosen.items():
        example = json.loads(path.read_bytes())
        example.pop("report_id", None)
        key = example.pop("license_key", "")
        facts = [f"--{field.replace('_', '-')}={value}" for field, value in example.items()]
        places = ("--root", str(tmp_path), "--state-dir", str(tmp_path / "state"), "--format", "json")
        if key:
            facts += ["--license-key-stdin", "--reveal-key"]
        ran = run(shell, "show", *places, *facts, stdin=key.encode())
        assert ran.err == ""
        told = json.loads(ran.out)
        body = json.loads(told["body"])
        del body["report_id"]
        assert body == ({**example, "license_key": key} if key else example), name
        assert told["report"] == name.partition(":")[0]


@pytest.mark.parametrize(
    "pattern",
    [
        "[a-z]+",
        "^[a-z]+$",
        "^[a-z][a-z]*([a-z][a-z]+)*$",
        "^[A-Z][a-z]*(-[a-z]+)*$",
        "^a{1,200}$",
        "^(a|b$",
        "^[a]{7,9}$x",
    ],
)
def test_format_of_another_shape_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"format|group"):
        check({"pattern": pattern, "maxLength": 48})


def test_quotes_in_the_policy_stay_words() -> None:
    hostile = json.loads(json.dumps(PUBLISHED).replace("Know which products", "It's $(touch ran) `x` \\\\ Know"))
    client = with_permits((PROJECT / "client_sdk/shell/telemetry-client").read_text(encoding="utf-8"), hostile)
    assert shell_block(hostile) in client
    assert "purpose='It'\\''s $(touch ran) `x` \\ Know are in use.'" in client


def test_client_without_a_block_is_not_written() -> None:
    with pytest.raises(ValueError, match="no block"):
        with_permits("#!/bin/sh\n", PUBLISHED)


def test_every_character_of_a_format_is_plain_in_json() -> None:
    for report, field in FIELDS:
        rule = _rule(report, field)
        for character in '"\\':
            assert not any(
                _admits(rule, good.replace("a", character)) for good in _values(report, field) if "a" in good
            )
