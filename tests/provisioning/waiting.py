"""Something that shall hold → the seconds until it did."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(what: str, holds: Callable[[], bool], *, within_s: float) -> float:
    """Seconds until something held.

    Raises:
        TimeoutError: It did not.
    """
    began_s = time.monotonic()
    while time.monotonic() - began_s < within_s:
        if holds():
            return time.monotonic() - began_s
        time.sleep(0.5)
    raise TimeoutError(f"{what}: not within {within_s:.0f} s")
