"""Ended boxes → a revocation list on disk, and a broker that knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Protocol

import structlog

from common.certificates import Revoked
from common.timing import Clock
from coordinator.broker.mosquitto import REVOKED, write_for_broker
from coordinator.database import Database
from coordinator.fleet.authority import Authority
from coordinator.fleet.reading_store import reading
from coordinator.fleet.store import FleetStore

log = structlog.get_logger(__name__)

_REWRITE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedDevice:
    """A certificate that must not be believed any more, and whose it is."""

    serial: str
    device: str
    at: datetime


class RevocationListener(Protocol):
    """A broker that acts on a new list; the file is written already."""

    def revoked(self, every: Sequence[RevokedDevice], *, new: Sequence[RevokedDevice]) -> None:
        """Refuse ``every``, and end what ``new`` ones have open.

        Raises:
            UnreachableError: The broker could not be told.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFile:
    """Where the list is written, and which group may read it."""

    folder: Path
    group: str | None = None

    @property
    def path(self) -> Path:
        """The file that mosquitto's configuration names."""
        return self.folder / REVOKED


class Revocations:
    """Keeps the file and the broker as the tables are; call ``publish`` as often as you like."""

    def __init__(
        self,
        database: Database,
        authority: Authority,
        listener: RevocationListener,
        *,
        file: ListFile,
        clock: Clock,
    ) -> None:
        self._database = database
        self._authority = authority
        self._listener = listener
        self._file = file
        self._clock = clock
        self._lock = Lock()
        self._known: frozenset[str] | None = None
        self._written_at: datetime | None = None

    def publish(self) -> bool:
        """Write and tell what changed since the last call; daily in any case.

        Returns:
            True when the list was written.

        Raises:
            UnreachableError: Database, folder or broker; the next call tries again.
        """
        with self._lock:
            now = self._clock.now()
            every = self._revoked(now)
            serials = frozenset(one.serial for one in every)
            is_fresh = self._written_at is not None and now - self._written_at < _REWRITE
            if serials == self._known and is_fresh:
                return False
            new = [one for one in every if one.serial not in (self._known or frozenset())]
            write_for_broker(self._file.path, self._list(every), group=self._file.group)
            self._listener.revoked(every, new=new)
            self._known, self._written_at = serials, now
            log.info("revocation_list_written", revoked=len(every), new=len(new))
            return True

    def current(self) -> bytes:
        """The list as PEM, made from the tables now."""
        return self._list(self._revoked(self._clock.now()))

    def _list(self, every: Sequence[RevokedDevice]) -> bytes:
        return self._authority.revocation_list(
            [Revoked(serial=one.serial, at=one.at) for one in every]
        )

    def _revoked(self, now: datetime) -> list[RevokedDevice]:
        with reading(self._database) as session:
            rows = FleetStore(session, "").revoked(now=now)
            return [
                RevokedDevice(serial=row.serial, device=row.device_id, at=row.revoked_at or now)
                for row in rows
            ]
