"""A value that somebody else wrote arrives unchanged or not at all; it is never run, and never breaks the output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import pytest

from tests.client.conformance.clients import Client, Place, Ran, alone, each, wants_all
from tests.client.conformance.hostile import VALUES
from tests.client.conformance.machines import ORDER, PERMITS

FIELDS = PERMITS["reports"]["image-boot/1"]["fields"]
INSTANCE_DATA = "/run/cloud-init/instance-data.json"
_ORIGIN = "given by the caller"
# What is taken away at either end of a value; and what a file's line has no more of.
_BLANKS = b" \t\r\x0b\x0c"


# So many different values share a run, in different places; with CONFORMANCE=all each value is in each place.
PLACES = 4


def groups(shifts: Iterable[int]) -> dict[str, tuple[bytes, ...]]:
    """Values that share a run, by the first one's name and by how far each is from its first place."""
    names = list(VALUES)
    return {
        f"{names[first]}-{shift}": tuple(VALUES[names[(first + shift + n) % len(names)]] for n in range(PLACES))
        for first in range(0, len(names), PLACES)
        for shift in shifts
    }


GROUPS = groups(range(PLACES) if wants_all() else [0])
every_group = pytest.mark.parametrize(("client", "values"), each("hostile", GROUPS))


@pytest.fixture
def hostile(values: tuple[bytes, ...], place: Place) -> list[bytes]:
    return [value.replace(b"{ran}", bytes(place.home / "ran")) for value in values]


@pytest.mark.parametrize(("client", "values"), each("hostile-arguments", GROUPS))
def test_facts_in_arguments_and_variables(client: Client, place: Place, hostile: list[bytes]) -> None:
    system, instance, language, version = hostile
    given = (b"--os-version=" + system, b"--instance-type=" + instance, b"--language=" + language)
    environment: dict[str, str | bytes] = {"TELEMETRY_PRODUCT": b"nginx", "TELEMETRY_PRODUCT_VERSION": version}
    told = _quiet(place.run(client, "show", *given, "--format", "json", environment=environment))
    _is_all_or_nothing(told, {"os_version": system, "instance_type": instance, "language": language})
    _is_all_or_nothing(told, {"product_version": version.strip(_BLANKS)}, "environment TELEMETRY_PRODUCT_VERSION")
    assert not (place.home / "ran").exists()


@every_group
def test_facts_in_files(client: Client, place: Place, hostile: list[bytes]) -> None:
    instance, version, one, other = hostile
    place.put(place.in_root("/etc/os-release"), b"NAME=" + one + b"\nVERSION=" + other + b"\nID='debian'\n")
    place.put(place.in_root("/etc/locale.conf"), b"LC_TIME='" + other + b"'\nLC_DATE=" + one + b"\nLANG=de_DE\n")
    place.put(place.in_root("/sys/class/dmi/id/chassis_asset_tag"), one + b"\n")
    place.put(place.in_root("/sys/class/dmi/id/sys_vendor"), b"Amazon EC2\n")
    place.put(place.in_root("/proc/1/cgroup"), b"0::/" + other + b"\n")
    data = {"ds": {"meta_data": {"instance-type": instance.decode(errors="replace")}}}
    place.put(place.in_root(INSTANCE_DATA), json.dumps(data, ensure_ascii=False))
    components = {"redis": {"version": version.decode(errors="replace")}}
    place.put(place.in_root("/opt/bitnami/.bitnami_components.json"), json.dumps(components))
    told = _quiet(place.run(client, "show", "--format", "json"))
    body = json.loads(str(told["body"]))
    assert (body["source"], body["product"], body["language"]) == ("cloud", "redis", "de-DE")
    assert body["os_version"] == "debian"
    _is_all_or_nothing(told, {"instance_type": instance}, f"{INSTANCE_DATA} ds.meta_data.instance-type")
    _is_all_or_nothing(told, {"product_version": version}, "/opt/bitnami/.bitnami_components.json redis")
    assert not (place.home / "ran").exists()


@every_group
def test_settings(client: Client, place: Place, hostile: list[bytes]) -> None:
    source, telemetry, url, noise = hostile
    place.put(place.in_root("/etc/telemetry-client/config"), b"telemetry = on\nurl = '" + url + b"'\n")
    environment: dict[str, str | bytes] = {
        "TELEMETRY": telemetry,
        "TELEMETRY_SOURCE": source,
        "XDG_STATE_HOME": noise,
        "https_proxy": noise,
        "no_proxy": url,
        "LANGUAGE": source,
    }
    told = _quiet(place.run(client, "status", "--format", "json", environment=environment))
    assert told["collector"] is None
    is_on = telemetry.strip(_BLANKS).lower() in {b"", b"on"} and not told["configuration_problems"]
    assert told["telemetry"] == ("on" if is_on else "off")
    shown = _quiet(place.run(client, "show", "--format", "json", environment=environment))
    _is_all_or_nothing(shown, {"source": source.strip(_BLANKS)}, "environment TELEMETRY_SOURCE", "vm")
    assert not (place.home / "ran").exists()


def test_they_are_many() -> None:
    assert len(VALUES) >= 60


@pytest.mark.parametrize("client", alone("hostile"))
def test_text_for_people_holds_no_control_characters(client: Client, place: Place) -> None:
    environment: dict[str, str | bytes] = {
        "TELEMETRY_PRODUCT": b"\x1b[31mred",
        "TELEMETRY_SOURCE": b"\x1b]0;title\x07",
        "TELEMETRY_URL": b"\x1b[2J",
        "https_proxy": b"\x1b[2J",
    }
    for command in ("show", "status"):
        ran = place.run(client, command, environment=environment)
        assert (ran.code, ran.err) == (0, "")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", ran.out), command


def _quiet(ran: Ran) -> dict[str, object]:
    assert (ran.code, ran.err) == (0, ""), ran.err
    return ran.told


def _is_all_or_nothing(
    told: dict[str, object], stated: dict[str, bytes], origin: str = _ORIGIN, otherwise: str = ""
) -> None:
    """Each value is in the body as it was stated, if its field's format admits it, and else nowhere."""
    body = json.loads(str(told["body"]))
    assert list(body) == [name for name in ORDER if name in body]
    fields = told["fields"]
    assert isinstance(fields, list)
    for name, value in stated.items():
        found = [field for field in fields if field["field"] == name]
        if _admits(name, value):
            assert (body[name], found[0]["value"], found[0]["from"]) == (value.decode(), value.decode(), origin)
        elif value or not otherwise:
            assert name not in body
            assert not found
            is_stated = bool(value)
            left = {"field": name, "why": f"what {origin} says does not have the field's format"}
            assert (left in told["left_out"]) is is_stated  # type: ignore[operator]
        else:
            assert body[name] == otherwise


def _admits(name: str, value: bytes) -> bool:
    rule = FIELDS[name]
    text = value.decode("latin-1")
    if "enum" in rule:
        return text in rule["enum"]
    # \Z: a `$` would let a line end through.
    return len(text) <= rule["maxLength"] and bool(re.fullmatch(rule["pattern"].removesuffix("$"), text))


@pytest.mark.parametrize("client", alone("hostile"))
def test_files_that_are_large(client: Client, place: Place) -> None:
    long_line = "# " + "x" * 900_000 + "\n"
    many_lines = "LC_TIME=de_DE\n" * 20_000
    place.put(place.in_root("/etc/os-release"), f"ID=debian\n{long_line}VERSION_ID=12\n" + "#" * 100_000)
    place.put(place.in_root("/etc/locale.conf"), f"{many_lines}LANG=pt_BR\n")
    padding = {f"key-{number}": {"a": [1, 2.5, None, True, 'x"y']} for number in range(2_000)}
    data = {"v1": padding, "ds": {"meta_data": {"instance-type": "cx22"}}}
    place.put(place.in_root(INSTANCE_DATA), json.dumps(data, indent=1))
    place.put(place.in_root("/opt/bitnami/.bitnami_components.json"), "[" * 200_000)
    body = json.loads(str(_quiet(place.run(client, "show", "--format", "json"))["body"]))
    assert (body["os_version"], body["language"], body["instance_type"]) == ("debian-12", "pt-BR", "cx22")
