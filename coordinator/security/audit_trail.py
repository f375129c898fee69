"""The audit log of one tenant → entries to read, and whether they still are what they were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from common.timing import Clock
from coordinator.database import Database
from coordinator.security.audit_entries import AuditEntry
from coordinator.security.audit_search_store import AuditFilter, find_entries
from coordinator.security.audit_store import WHOLE_DATABASE, still
from coordinator.security.audit_verification import AuditVerdict, verify_log
from coordinator.security.checkpoints import Checkpoints, read_checkpoints

_GOOD_FOR = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A verdict, and when it was found."""

    verdict: AuditVerdict
    at: datetime


class AuditTrail:
    """Reads the chain of a tenant, and the one of what concerns the whole database."""

    def __init__(
        self, database: Database, checkpoints: Checkpoints, *, tenant: str, clock: Clock
    ) -> None:
        """Read for ``tenant``; nothing is ever written."""
        self._database = database
        self._checkpoints = checkpoints
        self._tenant = tenant
        self._clock = clock
        self._lock = Lock()
        self._verified: Verified | None = None

    def entries(self, wanted: AuditFilter, *, of_database: bool = False) -> list[AuditEntry]:
        """Entries, the newest first.

        Args:
            wanted: Which.
            of_database: What concerned every tenant at once, such as backups.

        Raises:
            UnreachableError: The database is away.
        """
        chain = WHOLE_DATABASE if of_database else self._tenant
        with still(self._database) as session:
            return find_entries(session, chain, wanted)

    def verify(self) -> Verified:
        """Follow both chains to their ends and meet this machine's checkpoints.

        It reads every entry: one runs at a time, and who waited for it gets its verdict.

        Raises:
            TrustError: The checkpoints cannot be read.
            UnreachableError: The database is away.
        """
        with self._lock:
            now = self._clock.now()
            if self._verified is None or now - self._verified.at > _GOOD_FOR:
                self._verified = Verified(verdict=self._verify(), at=now)
            return self._verified

    def _verify(self) -> AuditVerdict:
        file = self._checkpoints.file
        points = read_checkpoints(file) if file.exists() else []
        key = self._checkpoints.key() if points else None
        verdict = verify_log(self._database, points, key=key)
        ours = {self._tenant, WHOLE_DATABASE}
        return AuditVerdict(
            chains=tuple(chain for chain in verdict.chains if chain.tenant in ours),
            faults=tuple(fault for fault in verdict.faults if fault.tenant in ours),
        )
