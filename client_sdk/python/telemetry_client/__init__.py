"""Reports a product's version and surroundings to its vendor, if the person who runs it allows it.

    import telemetry_client
    result = telemetry_client.report_boot(product="wordpress", product_version="6.4.2-0")
    print(result.message)

Both functions obey consent and the limits (one report per boot, ten a day), return within `seconds`, never raise,
and return a `Result`. Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import threading
from typing import List, Optional

from telemetry_client.call import Call, Place
from telemetry_client.deadline import TOTAL_SECONDS, Deadline
from telemetry_client.facts import Given
from telemetry_client.opening import open_here
from telemetry_client.permits import INSTALLBUILDER
from telemetry_client.result import Fate, Result
from telemetry_client.version import __version__

__all__ = ["Fate", "Result", "__version__", "report_boot", "report_run"]

# Kept back from the network, so that the outbox is tidy before the caller's time is up.
_MARGIN_SECONDS = 0.3


def report_boot(
    product: str = "",
    product_version: str = "",
    *,
    source: str = "",
    os_version: str = "",
    instance_type: str = "",
    language: str = "",
    url: str = "",
    state_dir: Place = "",
    config: Place = "",
    seconds: float = TOTAL_SECONDS,
) -> Result:
    """Reports one boot of an image, once. What is left empty is detected or read from the configuration.

    config: the image's configuration file, where it is not /etc/telemetry-client/image.
    seconds: for everything together; longer than this the call does not take.
    """
    given = Given(
        product=product,
        product_version=product_version,
        source=source,
        os_version=os_version,
        instance_type=instance_type,
        language=language,
    )
    return _bounded(Call(given, None, url, state_dir, config, seconds))


def report_run(
    product_version: str,
    *,
    os_version: str = "",
    language: str = "",
    license_key: str = "",
    answer: Optional[bool] = None,
    url: str = "",
    state_dir: Place = "",
    config: Place = "",
    seconds: float = TOTAL_SECONDS,
) -> Result:
    """Reports one run of InstallBuilder itself.

    license_key: of an owner; such a report is tried once and never written to disk.
    answer: what the person just answered when asked; None where nobody asked, and then only a stored choice,
    the administrator or TELEMETRY=on counts.
    """
    given = Given(
        product=INSTALLBUILDER,
        product_version=product_version,
        os_version=os_version,
        language=language,
        license_key=license_key,
    )
    return _bounded(Call(given, answer, url, state_dir, config, seconds))


def _bounded(call: Call) -> Result:
    """Runs the attempt beside the caller and leaves it behind when its time is up."""
    results: List[Result] = []

    def attempt() -> None:
        try:
            results.append(_attempt(call))
        except Exception as error:  # noqa: BLE001 - a product must not fail because its telemetry does
            # The class only: the text of an error might quote what was about to be sent.
            results.append(Result(Fate.FAILED, f"internal error ({type(error).__name__})"))

    try:
        problem = call.problem()
        if problem:
            return Result(Fate.UNUSABLE, f"nothing was sent: {problem}")
        thread = threading.Thread(target=attempt, name="telemetry-client", daemon=True)
        thread.start()
        thread.join(call.seconds)
    except Exception as error:  # noqa: BLE001 - a machine without room for a thread
        return Result(Fate.FAILED, f"internal error ({type(error).__name__})")
    return results[0] if results else Result(Fate.LOST, "not sent (no time left)")


def _attempt(call: Call) -> Result:
    client = open_here(state_dir=call.state_dir, url=call.url, image_file=call.config, answer=call.answer)
    return client.send(call.given, Deadline(max(0.1, call.seconds - _MARGIN_SECONDS)))
