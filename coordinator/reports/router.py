"""HTTP questions about the quarantine → what was not believed, and how often; read only."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from common.ids import Slug
from common.security import Permission
from common.wire import Code
from coordinator.dependencies import SessionDep, TenantDep
from coordinator.reports.store import QuarantineStore
from coordinator.security.access import may

router = APIRouter(
    prefix="/quarantine", tags=["quarantine"], dependencies=[may(Permission.QUARANTINE_READ)]
)


class QuarantineCountView(BaseModel):
    """How often one reason occurred for one box; ``?`` stands for ids nobody enrolled."""

    model_config = ConfigDict(from_attributes=True)

    reason: str
    device_id: str
    messages: int
    first_at: datetime
    last_at: datetime


class QuarantinedView(BaseModel):
    """One message that was not believed; its content is not kept."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    reason: str
    topic: str
    device_id: str | None
    size_bytes: int
    digest: str
    detail: str


@router.get("/counts")
def quarantine_counts(session: SessionDep, tenant: TenantDep) -> list[QuarantineCountView]:
    """Counters per reason and box, the newest first."""
    rows = QuarantineStore(session, tenant).counts()
    return [QuarantineCountView.model_validate(row) for row in rows]


@router.get("")
def quarantined(
    session: SessionDep,
    tenant: TenantDep,
    reason: Annotated[Code | None, Query(description="Only this reason.")] = None,
    device: Annotated[Slug | None, Query(description="Only this box.")] = None,
    most: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[QuarantinedView]:
    """The newest messages that were not believed; a few of each reason are kept."""
    rows = QuarantineStore(session, tenant).newest(reason=reason, device=device, most=most)
    return [QuarantinedView.model_validate(row) for row in rows]
