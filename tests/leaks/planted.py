"""Requests with a marker in every place where a client can put text, and the answer that each must get."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.outcomes import Outcome
from schemas.reports import REPORTS
from tests.leaks.needles import marker

KEY_CORE = "Q7ZK4M2X9VBD"
KEY = f"LICENCE-{KEY_CORE}"
ADDRESSES = ("198.51.100.222", "2001:db8:cafe:f00d:1234:5678:9abc:def0")
RARE_CORE = "rare5d1e8b"
BOOT, RUN = (REPORTS[name].path for name in ("image-boot/1", "installbuilder-run/1"))
GOOD = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0"}
GOOD_RUN = {"product": "installbuilder", "product_version": "25.7.0", "os_version": "windows-11"}
# Valid, and reported once: it is stored, and never published.
RARE = GOOD | {"product_version": f"9.7{RARE_CORE}", "os_version": f"os-{RARE_CORE}", "instance_type": f"{RARE_CORE}.l"}
NEW_VALUES_PER_DAY = 1_000
FORM, NDJSON = "application/x-www-form-urlencoded", "application/x-ndjson"
_CHUNKED = {"Transfer-Encoding": "chunked"}


@dataclass(frozen=True)
class Planted:
    """One request.

    Attributes:
        place: where its marker is; letters and digits.
        request: the bytes.
        outcome: what the answer says; None for what is no request at all, or is none to everybody.
        echoes: whether the answer may name what was planted: a field's name, to who sent it.
    """

    place: str
    request: bytes
    outcome: Outcome | None
    echoes: bool = False


def post(body: object, path: str = BOOT, *, kind: str = "application/json", start: str = "", **headers: str) -> bytes:
    """A request; underscores in the names of headers stand for hyphens."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Host": "collector", "Connection": "close", "Content-Type": kind} | {
        n.replace("_", "-"): v for n, v in headers.items()
    }
    if "Transfer-Encoding" not in named:
        named = {"Content-Length": str(len(content))} | named
    lines = [start or f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode() + content


def everything() -> Iterator[Planted]:
    """All of them, the good ones with a telling head included."""
    yield from _fields()
    yield from _keys()
    yield from _bodies()
    yield from _encodings()
    yield from _heads()
    yield from _paths()
    yield from _no_requests()


def accepted() -> Iterator[Planted]:
    """Reports that are stored, with the key and the rare values in them."""
    head = {"User_Agent": "product-telemetry/1", "X_Forwarded_For": ADDRESSES[0]}
    owner = GOOD_RUN | {"license_key": KEY}
    form = "&".join(f"{name}={value}" for name, value in owner.items()).encode()
    for place, request in (
        ("keyjson", post(owner, RUN, **head)),
        ("keyform", post(form, RUN, kind=FORM, **head)),
        ("keylines", post(f"{json.dumps(owner)}\n".encode() * 3, RUN, kind=NDJSON, **head)),
        ("rare", post(RARE, **head)),
    ):
        yield Planted(place, request, Outcome.ACCEPTED)


def a_flood() -> Planted:
    """More new versions of one product than a day may bring."""
    versions = [f"1.{n}" for n in range(3 * NEW_VALUES_PER_DAY)]
    lines = [json.dumps(GOOD | {"product": "redis", "product_version": version}) for version in versions]
    return Planted("flood", post("\n".join(lines).encode(), kind=NDJSON), Outcome.ACCEPTED)


def over_the_budget() -> Planted:
    """One more, to send a moment after the flood: it is stored as `other`."""
    body = GOOD | {"product": "redis", "product_version": f"9{marker('budget')}"}
    return Planted("budget", post(body), Outcome.ACCEPTED)


def withdrawn() -> Planted:
    """A valid operating system, to send once the policy has withdrawn that field."""
    return Planted("withdrawn", post(GOOD | {"os_version": f"{marker('withdrawn')}-1"}), Outcome.ACCEPTED)


def _fields() -> Iterator[Planted]:
    yield Planted("name", post(GOOD | {marker("name"): "x"}), Outcome.UNKNOWN_FIELD, echoes=True)
    yield Planted("oddname", post(GOOD | {f"{marker('oddname')} ": "x"}), Outcome.UNKNOWN_FIELD)
    yield Planted("value", post(GOOD | {"hostname": marker("value")}), Outcome.UNKNOWN_FIELD)
    yield Planted("nested", post(GOOD | {"a": {"b": [marker("nested")]}}), Outcome.UNKNOWN_FIELD)
    yield Planted("product", post(GOOD | {"product": marker("product")}), Outcome.UNKNOWN_PRODUCT)
    yield Planted("other", post(GOOD_RUN | {"instance_type": marker("other")}, RUN), Outcome.FIELD_NOT_PERMITTED)
    for path, good, report in ((BOOT, GOOD, "image-boot/1"), (RUN, GOOD_RUN, "installbuilder-run/1")):
        for n, name in enumerate(REPORTS[report].model.model_fields):
            kind = f"{report[:2]}{n}"
            text = marker(f"text{kind}")
            yield Planted(f"list{kind}", post(good | {name: [marker(f"list{kind}")]}, path), Outcome.WRONG_TYPE)
            yield Planted(f"text{kind}", post(good | {name: f"{text} {text}"}, path), Outcome.INVALID_FORMAT)
            yield Planted(f"long{kind}", post(good | {name: marker(f"long{kind}") * 20}, path), Outcome.INVALID_FORMAT)


def _keys() -> Iterator[Planted]:
    yield Planted("keylist", post(GOOD_RUN | {"license_key": [KEY]}, RUN), Outcome.WRONG_TYPE)
    yield Planted("keyformat", post(GOOD_RUN | {"license_key": f"{KEY} {KEY}"}, RUN), Outcome.INVALID_FORMAT)
    yield Planted("keylong", post(GOOD_RUN | {"license_key": KEY * 20}, RUN), Outcome.INVALID_FORMAT)
    yield Planted("keyimage", post(GOOD | {"license_key": KEY}), Outcome.FIELD_NOT_PERMITTED)
    yield Planted("keyname", post(GOOD | {KEY: KEY}), Outcome.UNKNOWN_FIELD)
    yield Planted(
        "keyproduct", post(GOOD_RUN | {"license_key": KEY, "product": "nginx"}, RUN), Outcome.PRODUCT_NOT_PERMITTED
    )
    yield Planted("keycut", post(f'{{"license_key": "{KEY}"'.encode(), RUN), Outcome.MALFORMED)
    yield Planted("keyversion", post(GOOD_RUN | {"product_version": f"9.{KEY} "}, RUN), Outcome.INVALID_FORMAT)
    yield Planted("keyquery", post(GOOD_RUN, f"{RUN}?license_key={KEY}"), Outcome.UNKNOWN_PARAMETER)
    yield Planted("keypath", post(GOOD_RUN, f"{RUN}/{KEY}"), Outcome.NOT_FOUND)
    yield Planted("keyhead", post(GOOD_RUN, RUN, Authorization=f"Bearer {KEY}", Cookie=f"k={KEY}"), Outcome.ACCEPTED)
    yield Planted("keydry", post(GOOD_RUN | {"license_key": KEY}, f"{RUN}?dry_run=1"), Outcome.VALID)


def _bodies() -> Iterator[Planted]:
    text = marker("cut")
    yield Planted("cut", post(f'{{"product": "{text}'.encode()), Outcome.MALFORMED)
    yield Planted("bare", post(marker("bare").encode()), Outcome.MALFORMED)
    yield Planted("array", post([marker("array")]), Outcome.MALFORMED)
    yield Planted("bytes", post(b'{"product": "\xff\xfe' + marker("bytes").encode() + b'"}'), Outcome.MALFORMED)
    yield Planted("deep", post(b"[" * 5000 + marker("deep").encode()), Outcome.MALFORMED)
    yield Planted("after", post(json.dumps(GOOD).encode() + marker("after").encode()), Outcome.MALFORMED)
    twice = json.dumps(GOOD)[:-1] + f', "product": "{marker("twice")}"}}'
    yield Planted("twice", post(twice.encode()), Outcome.UNKNOWN_PRODUCT)
    yield Planted("big", post(GOOD | {"os_version": marker("big") * 3000}), Outcome.TOO_LARGE)
    lines = [json.dumps(GOOD), json.dumps(GOOD | {"hostname": marker("lines")}), marker("lines"), ""]
    yield Planted("lines", post("\n".join(lines).encode(), kind=NDJSON), Outcome.ACCEPTED)
    form = "&".join(f"{name}={value}" for name, value in GOOD.items())
    yield Planted("form", post(f"{form}&hostname={marker('form')}".encode(), kind=FORM), Outcome.UNKNOWN_FIELD)
    yield Planted("formword", post(marker("formword").encode(), kind=FORM), Outcome.MALFORMED)
    yield Planted("formtwice", post(f"{form}&product={marker('formtwice')}".encode(), kind=FORM), Outcome.MALFORMED)
    dry = GOOD | {"os_version": f"{marker('dry')}-1"}
    yield Planted("dry", post(dry, f"{BOOT}?dry_run=1"), Outcome.VALID)


def _encodings() -> Iterator[Planted]:
    bad = json.dumps(GOOD | {"hostname": marker("packed")}).encode()
    yield Planted("packed", post(gzip.compress(bad), Content_Encoding="gzip"), Outcome.UNKNOWN_FIELD)
    yield Planted("unpacked", post(marker("unpacked").encode(), Content_Encoding="gzip"), Outcome.MALFORMED)
    yield Planted("encoding", post(GOOD, Content_Encoding=marker("encoding")), Outcome.UNSUPPORTED_MEDIA_TYPE)
    yield Planted("kind", post(GOOD, kind=f"text/{marker('kind')}"), Outcome.UNSUPPORTED_MEDIA_TYPE)
    yield Planted("charset", post(GOOD, kind=f"application/json; charset={marker('charset')}"), Outcome.ACCEPTED)
    body = json.dumps(GOOD).encode()
    chunk = b"%x;%b\r\n%b\r\n0\r\nX-T: %b\r\n\r\n"
    chunk %= (len(body), marker("chunk").encode(), body, marker("trailer").encode())
    yield Planted("chunk", post(chunk, **_CHUNKED), None)
    yield Planted("chunklength", post(marker("chunklength").encode() + b"\r\n\r\n", **_CHUNKED), None)
    yield Planted("transfer", post(body, Transfer_Encoding=marker("transfer")), None)


def _heads() -> Iterator[Planted]:
    for place, header in (
        *(("agent", "User_Agent"), ("referer", "Referer"), ("cookie", "Cookie"), ("auth", "Authorization")),
        *(("xff", "X_Forwarded_For"), ("realip", "X_Real_IP"), ("from", "From"), ("language", "Accept_Language")),
        *(
            ("host", "Host"),
            ("origin", "Origin"),
            ("own", "X_Own"),
            ("trace", "Traceparent"),
            ("etag", "If_None_Match"),
        ),
    ):
        yield Planted(place, post(GOOD, **{header: marker(place)}), Outcome.ACCEPTED)
    for n, address in enumerate(ADDRESSES):
        forwarded = {"X_Forwarded_For": address, "X_Real_IP": address, "Forwarded": f'for="[{address}]"'}
        yield Planted(f"address{n}", post(GOOD, **forwarded), Outcome.ACCEPTED)
        yield Planted(f"badfrom{n}", post({marker(f"badfrom{n}"): 1} | GOOD, **forwarded), None, echoes=True)
    yield Planted("expect", post(GOOD, Expect=marker("expect")), Outcome.MALFORMED)
    yield Planted("upgrade", post(GOOD, Connection="upgrade", Upgrade=marker("upgrade")), None)
    yield Planted("headname", post(GOOD, **{f"X {marker('headname')}": "x"}), None)
    yield Planted("headlong", post(GOOD, Cookie=marker("headlong") * 2000), None)
    yield Planted(
        "headbytes", post(GOOD).replace(b"Host:", b"X: \x00" + marker("headbytes").encode() + b"\r\nHost:"), None
    )
    yield Planted("headline", post(GOOD).replace(b"Host:", marker("headline").encode() + b"\r\nHost:"), None)
    yield Planted("length", post(GOOD, Content_Length=marker("length")), None)


def _paths() -> Iterator[Planted]:
    yield Planted("path", post(GOOD, f"/{marker('path')}"), Outcome.NOT_FOUND)
    yield Planted("pathreport", post(GOOD, f"/v1/reports/{marker('pathreport')}/1"), Outcome.UNKNOWN_SCHEMA)
    yield Planted("pathversion", post(GOOD, f"/v1/reports/image-boot/{marker('pathversion')}"), Outcome.UNKNOWN_SCHEMA)
    yield Planted("query", post(GOOD, f"{BOOT}?{marker('query')}=1"), Outcome.UNKNOWN_PARAMETER)
    yield Planted("dryrun", post(GOOD, f"{BOOT}?dry_run={marker('dryrun')}"), Outcome.UNKNOWN_PARAMETER)
    yield Planted("fragment", post(GOOD, f"{BOOT}#{marker('fragment')}"), None)
    yield Planted("absolute", post(GOOD, f"http://{marker('absolute')}{BOOT}"), None)
    yield Planted("get", post(b"", start=f"GET /livez?{marker('get')} HTTP/1.1"), None)
    yield Planted("page", post(b"", start=f"GET /v1/data?{marker('page')} HTTP/1.1"), None)
    for method in ("PUT", "DELETE", "TRACE", "OPTIONS"):
        place = f"method{method.lower()}"
        yield Planted(place, post({"x": marker(place)}, start=f"{method} {BOOT}?{marker(place)} HTTP/1.1"), None)


def _no_requests() -> Iterator[Planted]:
    yield Planted("method", post(GOOD, start=f"{marker('method').upper()} {BOOT} HTTP/1.1"), None)
    yield Planted("protocol", post(GOOD, start=f"POST {BOOT} HTTP/{marker('protocol')}"), None)
    yield Planted("noise", marker("noise").encode() * 50 + b"\r\n\r\n", None)
    yield Planted("short", post(GOOD, User_Agent=marker("short"), Content_Length="500"), None)
    name = marker("sni").encode()
    sni = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    hello = b"\x03\x03" + bytes(32) + b"\x00\x00\x02\x13\x01\x01\x00" + struct.pack("!H", len(sni)) + sni
    yield Planted("sni", b"\x16\x03\x01" + struct.pack("!HBBH", len(hello) + 4, 1, 0, len(hello)) + hello, None)
