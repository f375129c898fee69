"""What the system says of its clock → which bins were measured at a time that is known.

A box without a battery clock boots years ago. What it measures until a time server answers
has the wrong minute on it, and is marked as unsure for ever.
"""

from __future__ import annotations

import ctypes
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from common.timing import Clock
from common.wire import ClockState

_TIMESYNCD_FILE = Path("/run/systemd/timesync/synchronized")
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_AHEAD = timedelta(minutes=1)

log = structlog.get_logger(__name__)


class TimeSource(Protocol):
    """Whoever knows whether the machine's clock follows a time server."""

    def is_synchronised(self) -> bool:
        """True while it does."""
        ...


class SystemTime:
    """The kernel (adjtimex(2)), which chrony and ntpd tell, and systemd-timesyncd's own file."""

    def __init__(self, synchronised_file: Path = _TIMESYNCD_FILE) -> None:
        self._file = synchronised_file
        self._library = ctypes.CDLL(None, use_errno=True)

    def is_synchronised(self) -> bool:
        """True when either says so."""
        return self._file.exists() or self._kernel_says_so()

    def _kernel_says_so(self) -> bool:
        # struct timex starts with modes (int), offset, freq, maxerror, esterror (long), status
        # (int); modes 0 only reads. 208 bytes on 64-bit Linux, more room does no harm.
        timex = ctypes.create_string_buffer(512)
        state = self._library.adjtimex(timex)
        status = ctypes.c_int.from_buffer(timex, 5 * ctypes.sizeof(ctypes.c_long)).value
        return state not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC


class TrustedTime:
    """For a box whose operator vouches for the clock, such as a machine in a data centre."""

    def is_synchronised(self) -> bool:
        """Always."""
        return True


class ClockTrust:
    """Ask once a pass; once trusted, a clock stays trusted until the next start."""

    def __init__(self, source: TimeSource, *, clock: Clock, wait_s: float) -> None:
        """Begin; the first answer counts from now.

        Args:
            source: Knows about the machine's clock.
            clock: That clock.
            wait_s: How long reports wait for a clock that is unsure; then they leave, marked.
        """
        self._source = source
        self._clock = clock
        self._wait_s = wait_s
        self._began_s = clock.monotonic_s()
        self._trusted_since: datetime | None = None
        self.state = ClockState.UNSURE
        if source.is_synchronised():
            self.state = ClockState.TRUSTED

    def ask(self) -> ClockState:
        """Look again whether the clock is known to be right."""
        if self.state is ClockState.UNSURE and self._source.is_synchronised():
            self.state = ClockState.TRUSTED
            self._trusted_since = self._clock.now()
            log.info("clock_trusted", waited_s=self._clock.monotonic_s() - self._began_s)
        return self.state

    def of_bin(self, start: datetime) -> ClockState:
        """Whether the time was known when the bin that starts then was measured."""
        if self.state is ClockState.UNSURE or start > self._clock.now() + _AHEAD:
            return ClockState.UNSURE
        if self._trusted_since is not None and start < self._trusted_since:
            return ClockState.UNSURE
        return ClockState.TRUSTED

    @property
    def may_send(self) -> bool:
        """False while a report had better wait."""
        waited_s = self._clock.monotonic_s() - self._began_s
        return self.state is ClockState.TRUSTED or waited_s >= self._wait_s
