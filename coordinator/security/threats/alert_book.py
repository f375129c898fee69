"""What people ask and do about alerts → the alerts of one tenant, each change on record."""

from __future__ import annotations

from common.errors import ConflictError
from common.timing import Clock
from coordinator.database import Database
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action
from coordinator.security.threats.alerts import Alert, AlertFilter, AlertState
from coordinator.security.threats.alerts_store import AlertStore


class AlertBook:
    """Alerts as people work on them."""

    def __init__(
        self, database: Database, audit: SecurityAuditLogger, *, tenant: str, clock: Clock
    ) -> None:
        """Keep the alerts of ``tenant``."""
        self._database = database
        self._audit = audit
        self._tenant = tenant
        self._clock = clock

    def list(self, wanted: AlertFilter) -> list[Alert]:
        """Those that match, the newest first, without notes.

        Raises:
            UnreachableError: The database is away.
        """
        with self._database.session() as session:
            session.connection(execution_options={"its_read_only": True})
            return AlertStore(session, self._tenant).alerts(wanted)

    def show(self, alert: int) -> Alert:
        """One with its notes.

        Raises:
            NotFoundError: No such alert.
            UnreachableError: The database is away.
        """
        with self._database.session() as session:
            session.connection(execution_options={"its_read_only": True})
            return AlertStore(session, self._tenant).alert(alert)

    def move(self, alert: int, state: AlertState, *, note: str, by: str) -> Alert:
        """Take an alert up, close it, or open it again; with the same state, write a note.

        Args:
            alert: Which.
            state: Its next state.
            note: Why; an alert is closed with a reason.
            by: Who.

        Raises:
            NotFoundError: No such alert.
            ConflictError: Closed without a reason.
            UnreachableError: The database is away.
        """
        if state is AlertState.CLOSED and not note.strip():
            raise ConflictError(
                f"alert {alert} would be closed without a note, expected one",
                hint="write what it was, and what was done",
            )
        with self._database.session() as session:
            store = AlertStore(session, self._tenant)
            before = store.alert(alert)
            after = store.move(alert, state, note.strip(), by=by, now=self._clock.now())
            self._audit.record(
                session,
                Action.ALERT_MOVED,
                subject=f"{before.kind.value} {before.subject}",
                detail={"alert": alert, "before": before.state.value, "after": state.value},
            )
        return after
