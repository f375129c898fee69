"""Failed enrolments of an address → a pause before the next, so that nobody can guess."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from common.errors import UnreachableError
from common.timing import Clock

MOST_FAILURES = 10
PER_S = 60.0
_MOST_ADDRESSES = 4096


class TooManyAttemptsError(UnreachableError):
    """An address failed too often; the same call may work later."""

    def __init__(self, wait_s: float) -> None:
        """Say how long to wait."""
        super().__init__(
            f"too many failed attempts, expected at most {MOST_FAILURES} a minute",
            hint=f"wait {wait_s:.0f} s",
        )
        self.wait_s = wait_s


class FailedAttempts:
    """Counts failures of each address over a minute; bounded, and shared between threads."""

    def __init__(self, *, clock: Clock, most: int = MOST_FAILURES) -> None:
        self._clock = clock
        self._most = most
        self._lock = Lock()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def refuse_flood(self, address: str) -> None:
        """Return only when the address may try.

        Raises:
            TooManyAttemptsError: It failed too often in the last minute.
        """
        now_s = self._clock.monotonic_s()
        with self._lock:
            recent = self._recent(address, now_s)
            if len(recent) >= self._most:
                raise TooManyAttemptsError(max(1.0, recent[0] + PER_S - now_s))

    def failed(self, address: str) -> None:
        """Note a failure."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            self._failures[address] = [*self._recent(address, now_s), now_s][-self._most :]
            self._failures.move_to_end(address)
            while len(self._failures) > _MOST_ADDRESSES:
                self._failures.popitem(last=False)

    def _recent(self, address: str, now_s: float) -> list[float]:
        return [at for at in self._failures.get(address, ()) if at > now_s - PER_S]
