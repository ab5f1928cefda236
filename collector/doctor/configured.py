"""Whether what the operator wrote can be used, and for how much longer: configuration, permits, certificate."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from collector.check import permit_reviews, problems
from collector.configuration import fingerprint, in_use, read_configuration
from collector.doctor.finding import Finding
from collector.ingest.tls import CertificateError, check_pair, seen_by_a_client

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

    from collector.doctor.case import Case
    from collector.settings import Settings

_RENEW_DAYS = 14
_EXPIRED = 10  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED


def check(case: Case) -> Iterator[Finding]:
    """Problems as `collector check` lists them, permits and the certificate by their dates, and what is in use."""
    found = [
        Finding.problem(problem, f"mend it, see with: collector check --data {case.paths.data}; then send SIGHUP")
        for problem in problems(case.settings)
    ]
    yield from found or [Finding.ok("policy, catalogue and menu can be used")]
    if not found:
        yield from _in_use(case)
    yield from _permits(case.settings, case.now.date())
    if case.settings.tls_certificate and case.settings.tls_key:
        yield from _certificate(case.settings.tls_certificate, case.settings.tls_key, case.now)


def _in_use(case: Case) -> Iterator[Finding]:
    """Whether a running `serve` works with what is written."""
    known = in_use(case.paths) if case.serving and not case.no_answer else None
    if known is not None and known != fingerprint(read_configuration(case.settings)):
        yield Finding.warning(
            "the running collector works with an earlier policy, catalogue or menu",
            "send SIGHUP to `collector serve`; a changed menu needs a restart",
        )


def _permits(settings: Settings, today: dt.date) -> Iterator[Finding]:
    due = permit_reviews(settings, today)
    todo = f"have its owner review it, and write the new date in {settings.policy}, or withdraw the field"
    for line in due.problems:
        yield Finding.problem(line, todo)
    for line in due.warnings:
        yield Finding.warning(line, todo)


def _certificate(certificate: Path, key: Path, now: dt.datetime) -> Iterator[Finding]:
    todo = "renew it, then send SIGHUP to `collector serve`; no connection is dropped"
    try:
        check_pair(certificate, key)
        ends = seen_by_a_client(certificate, key)
    except CertificateError as error:
        yield Finding.problem(str(error), "mend it, then send SIGHUP to `collector serve`")
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _EXPIRED:
            yield Finding.problem(f"{certificate} has expired: no client sends any more", todo)
        else:
            yield Finding.problem(f"{certificate} is refused by clients: {error.verify_message}", todo)
    else:
        left = (ends - now).days
        text = f"{certificate} expires on {ends.date()}, in {left} days"
        yield Finding.warning(text, todo) if left < _RENEW_DAYS else Finding.ok(text)
