"""Questions about the audit log over HTTP → entries, and whether they hold."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from common.security import Permission
from coordinator.dependencies import ContainerDep
from coordinator.security.access import may
from coordinator.security.audit_entries import Action, AuditEntry
from coordinator.security.audit_search_store import AuditFilter
from coordinator.security.audit_trail import AuditTrail, Verified

router = APIRouter(prefix="/audit", tags=["audit"], dependencies=[may(Permission.AUDIT_READ)])

_MOST_NAMED_FAULTS = 20


def trail_of(container: ContainerDep) -> AuditTrail:
    """The audit log of the tenant."""
    trail: AuditTrail = container.audit_trail()
    return trail


TrailDep = Annotated[AuditTrail, Depends(trail_of)]


class AuditQuestion(BaseModel):
    """Which entries are wanted."""

    model_config = ConfigDict(extra="forbid")

    chain: Literal["tenant", "database"] = Field(
        default="tenant", description="`database`: backups, restores and retention"
    )
    action: Action | None = None
    actor: str = Field(default="", max_length=128, description="Part of the name")
    subject: str = Field(default="", max_length=256, description="Part of it")
    before: int | None = Field(default=None, ge=1, lt=2**63, description="Only lower numbers")
    most: int = Field(default=100, ge=1, le=1000)


class AuditEntryView(BaseModel):
    """One entry; ``digest`` vouches for all before it."""

    number: int
    at: datetime
    actor_kind: str
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    digest: str


class AuditChainView(BaseModel):
    """How far one chain holds."""

    model_config = ConfigDict(from_attributes=True)

    chain: str
    entries: int
    newest_at: datetime | None
    checkpoints_met: int


class AuditFaultView(BaseModel):
    """The first entry of a chain that does not hold."""

    chain: str
    number: int
    reason: str


class AuditVerificationView(BaseModel):
    """Whether the log is what it was.

    Only checkpoints that were kept on another machine show that the end was cut off, or all
    of it written anew: `its-camera-ai security audit verify --checkpoint FILE` meets them.
    """

    at: datetime
    is_intact: bool
    chains: list[AuditChainView]
    faults: list[AuditFaultView]


@router.get("")
def list_entries(
    question: Annotated[AuditQuestion, Query()], trail: TrailDep
) -> list[AuditEntryView]:
    """Who did what, the newest first; nothing is verified."""
    wanted = AuditFilter(
        action=question.action,
        actor=question.actor,
        subject=question.subject,
        before=question.before,
        most=question.most,
    )
    found = trail.entries(wanted, of_database=question.chain == "database")
    return [_entry_view(entry) for entry in found]


@router.get("/verification")
def verify_entries(trail: TrailDep) -> AuditVerificationView:
    """Follow every entry from the first; takes seconds for a hundred thousand."""
    return _verification_view(trail.verify())


def _entry_view(entry: AuditEntry) -> AuditEntryView:
    return AuditEntryView(
        number=entry.number,
        at=datetime.fromisoformat(entry.at),
        actor_kind=entry.actor_kind,
        actor=entry.actor_name,
        action=entry.action,
        subject=entry.subject,
        detail=json.loads(entry.detail),
        digest=entry.digest,
    )


def _verification_view(verified: Verified) -> AuditVerificationView:
    verdict = verified.verdict
    return AuditVerificationView(
        at=verified.at,
        is_intact=verdict.is_intact,
        chains=[
            AuditChainView(
                chain=chain.tenant,
                entries=chain.holds.number,
                newest_at=datetime.fromisoformat(chain.newest_at) if chain.newest_at else None,
                checkpoints_met=chain.checked,
            )
            for chain in verdict.chains
        ],
        faults=[
            AuditFaultView(chain=fault.tenant, number=fault.number, reason=fault.reason)
            for fault in verdict.faults[:_MOST_NAMED_FAULTS]
        ],
    )
