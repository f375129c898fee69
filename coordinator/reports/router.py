"""HTTP questions about the quarantine → what was not believed, and how often; read only."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from common.ids import Slug
from common.wire import Code
from coordinator.dependencies import SessionDep
from coordinator.reports.store import QuarantineStore

router = APIRouter(prefix="/quarantine", tags=["quarantine"])


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
def quarantine_counts(session: SessionDep) -> list[QuarantineCountView]:
    """Counters per reason and box, the newest first."""
    return [QuarantineCountView.model_validate(row) for row in QuarantineStore(session).counts()]


@router.get("")
def quarantined(
    session: SessionDep,
    reason: Annotated[Code | None, Query(description="Only this reason.")] = None,
    device: Annotated[Slug | None, Query(description="Only this box.")] = None,
    most: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[QuarantinedView]:
    """The newest messages that were not believed; a few of each reason are kept."""
    rows = QuarantineStore(session).newest(reason=reason, device=device, most=most)
    return [QuarantinedView.model_validate(row) for row in rows]
