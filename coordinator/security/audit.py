"""What somebody does → an entry of the tenant's chain, in the same transaction.

An action that is rolled back leaves no entry, and an entry that cannot be written stops the
action. Nobody's secret is ever told: ``audit_entries.DETAILS`` names everything that may be.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from common.timing import Clock
from coordinator.security.actors import Actor, current_actor
from coordinator.security.audit_entries import Action, Deed, Value
from coordinator.security.audit_store import Session, append

log = structlog.get_logger(__name__)


class SecurityAuditLogger:
    """Writes the chain of one tenant; safe to share between threads and processes."""

    def __init__(self, *, tenant: str, clock: Clock) -> None:
        """Write for ``tenant``, or for ``audit_store.WHOLE_DATABASE``."""
        self._tenant = tenant
        self._clock = clock

    def record(
        self,
        session: Session,
        action: Action,
        *,
        subject: str,
        detail: Mapping[str, Value] | None = None,
        by: Actor | None = None,
    ) -> None:
        """Add an entry to the caller's transaction; call it last.

        Args:
            session: The transaction of the action itself.
            action: What was done.
            subject: To what.
            detail: More of it, as ``DETAILS`` allows.
            by: Who; default: whom ``actors`` knows.

        Raises:
            TrustError: The chain was tampered with, and goes on for nobody.
            UnreachableError: The database is away.
            ValueError: A detail that is not foreseen.
        """
        deed = Deed(
            actor=by or current_actor(),
            action=action,
            subject=subject,
            detail=detail or {},
            at=self._clock.now(),
        )
        entry = append(session, self._tenant, deed)
        log.info("action_recorded", tenant=self._tenant, number=entry.number, action=action)
