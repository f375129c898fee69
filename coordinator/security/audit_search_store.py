"""Questions about one chain of the audit log → entries, the newest first."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session, col

from coordinator.security.audit_entries import ENTRY_FIELDS, Action, AuditEntry
from coordinator.security.tables import AuditEntryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are wanted.

    Attributes:
        actor: Part of the name of who did it.
        subject: Part of what it was done to.
        before: Only with lower numbers: the next page begins below the last one's.
    """

    action: Action | None = None
    actor: str = ""
    subject: str = ""
    before: int | None = None
    most: int = 100


def find_entries(session: Session, chain: str, wanted: AuditFilter) -> list[AuditEntry]:
    """Entries of one chain that match; nothing is verified."""
    query = select(*(col(getattr(AuditEntryRow, name)) for name in ENTRY_FIELDS)).where(
        col(AuditEntryRow.tenant_id) == chain
    )
    if wanted.action is not None:
        query = query.where(col(AuditEntryRow.action) == wanted.action.value)
    if wanted.actor:
        query = query.where(col(AuditEntryRow.actor_name).contains(wanted.actor, autoescape=True))
    if wanted.subject:
        query = query.where(col(AuditEntryRow.subject).contains(wanted.subject, autoescape=True))
    if wanted.before is not None:
        query = query.where(col(AuditEntryRow.number) < wanted.before)
    query = query.order_by(col(AuditEntryRow.number).desc()).limit(wanted.most)
    rows = session.execute(query).all()
    return [AuditEntry(**dict(zip(ENTRY_FIELDS, row, strict=True))) for row in rows]
