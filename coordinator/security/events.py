"""What may be an attack, when it happens → counted in memory, and written by and by.

Whoever attacks decides how often something happens, so that noting it must cost next to
nothing: no database is asked where something is noted, the same things are counted together,
and what is noted is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import structlog

from common.timing import Clock
from coordinator.database import Database
from coordinator.security.events_store import EventStore
from coordinator.security.noticed import NOBODY, EventKind, SecurityEvent, stranger

__all__ = ["MOST_WAITING", "EventKind", "SecurityEvents", "stranger"]

log = structlog.get_logger(__name__)

MOST_WAITING = 2000
"""Different (kind, subject, address) between two writings, two seconds apart: an attack that
has more is as well known by the first two thousand."""

_MOST_CHARACTERS = 128


class SecurityEvents:
    """The events of one process; safe to share between threads."""

    def __init__(self, database: Database, *, tenant: str, clock: Clock) -> None:
        """Prepare; nothing is written before ``write``."""
        self._database = database
        self._tenant = tenant
        self._clock = clock
        self._lock = Lock()
        self._waiting: OrderedDict[tuple[EventKind, str, str], SecurityEvent] = OrderedDict()

    def record(self, kind: EventKind, *, subject: str, address: str) -> None:
        """Note that something happened; never waits and never fails.

        Args:
            kind: What.
            subject: Whom it is about, by a name that exists; ``stranger`` for what was typed.
            address: Where it came from.
        """
        now = self._clock.now()
        key = (kind, _printable(subject), _printable(address))
        with self._lock:
            known = self._waiting.get(key)
            if known is None and len(self._waiting) >= MOST_WAITING:
                key = (kind, NOBODY, NOBODY)
                known = self._waiting.get(key)
            self._waiting[key] = SecurityEvent(
                kind=kind,
                subject=key[1],
                address=key[2],
                first_at=known.first_at if known else now,
                last_at=now,
                times=known.times + 1 if known else 1,
            )

    def write(self) -> int:
        """Write what waits; returns how many different events that were.

        Raises:
            UnreachableError: The database is away; what waits is kept.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, OrderedDict()
        if not waiting:
            return 0
        is_written = False
        try:
            with self._database.session() as session:
                EventStore(session, self._tenant).add(list(waiting.values()))
            is_written = True
        finally:
            if not is_written:
                self._keep(waiting)
        log.info("security_events_written", events=len(waiting))
        return len(waiting)

    def _keep(self, waiting: OrderedDict[tuple[EventKind, str, str], SecurityEvent]) -> None:
        """Back to those that wait; newer ones of the same kind are told apart no more."""
        with self._lock:
            for key, event in waiting.items():
                newer = self._waiting.get(key)
                if newer is None and len(self._waiting) < MOST_WAITING:
                    self._waiting[key] = event
                elif newer is not None:
                    self._waiting[key] = SecurityEvent(
                        kind=event.kind,
                        subject=event.subject,
                        address=event.address,
                        first_at=event.first_at,
                        last_at=newer.last_at,
                        times=event.times + newer.times,
                    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:_MOST_CHARACTERS]) or NOBODY
