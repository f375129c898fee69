"""What the API and the command line are asked, and what they show, of federated runs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.ids import Slug
from common.rounds import (
    AnchorSettings,
    BatchNorm,
    LocalTraining,
    Packing,
    ParentModel,
    RoundOutcome,
    RunPlan,
    RunState,
    ScreeningSettings,
    Strategy,
    UpdatePrivacy,
)
from coordinator.federation.tables import RunEventRow, RunRow

_EXAMPLE: dict[str, Any] = {
    "run": "night-2026-03",
    "state": "running",
    "round": 1,
    "rounds": 2,
    "strategy": "fedavg",
    "clients": 3,
    "created_at": "2026-03-14T22:00:00Z",
    "changed_at": "2026-03-14T22:00:04Z",
    "is_to_stop": False,
    "reason": "",
    "verdict": [],
    "candidate": None,
    "note": "",
}


class RunWish(BaseModel):
    """A run as somebody asks for it; what is left out comes from the configuration.

    Attributes:
        devices: Whom to ask; empty means every box that can.
        samples: Device → labelled images on it, where its health report does not tell.
        quorum: None means two thirds of the devices, two at least, or what the strategy needs.
        deadline_s: None means from the measured times of the devices.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"example": {"run": "night-2026-03", "rounds": 2}},
    )

    run: Slug | None = None
    parent: ParentModel | None = None
    devices: Annotated[tuple[Slug, ...], Field(max_length=10_000)] = ()
    samples: dict[Slug, Annotated[int, Field(ge=0, le=10_000_000)]] = Field(default_factory=dict)
    rounds: Annotated[int, Field(ge=1, le=1000)] = 2
    quorum: Annotated[int, Field(ge=1, le=10_000)] | None = None
    deadline_s: Annotated[float, Field(gt=0, le=7 * 86_400)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    strategy: Strategy = Strategy.FEDAVG
    server_rate: Annotated[float, Field(gt=0, le=10)] = 1.0
    most_byzantine: Annotated[int, Field(ge=0, le=1000)] = 1
    packing: Packing = Packing.INT8
    batch_norm: BatchNorm = BatchNorm.SHARED
    local: LocalTraining = LocalTraining()
    anchor: AnchorSettings | None = None
    screening: ScreeningSettings = ScreeningSettings()
    privacy: UpdatePrivacy | None = None
    is_secure_sum: bool = False
    evaluation: Path | None = None
    note: Annotated[str, StringConstraints(max_length=500)] = ""


class RunView(BaseModel):
    """A run in a list."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    run: str
    state: RunState
    round: int
    rounds: int
    strategy: Strategy
    clients: int
    created_at: datetime
    changed_at: datetime
    is_to_stop: bool
    reason: str
    verdict: list[str]
    candidate: str | None
    note: str

    @classmethod
    def of(cls, row: RunRow) -> RunView:
        """A row as it is shown."""
        plan = RunPlan.model_validate(row.plan)
        return cls(
            run=row.id,
            state=RunState(row.state),
            round=row.round,
            rounds=plan.rounds,
            strategy=plan.strategy,
            clients=len(plan.clients),
            created_at=row.created_at,
            changed_at=row.changed_at,
            is_to_stop=row.is_to_stop,
            reason=row.reason,
            verdict=row.verdict,
            candidate=row.candidate,
            note=plan.note,
        )


class RunDetailView(RunView):
    """A run with its plan and every finished round."""

    model_config = ConfigDict(json_schema_extra={"example": {**_EXAMPLE, "finished": []}})

    plan: RunPlan
    finished: list[RoundOutcome]


class RunEventView(BaseModel):
    """Something that happened; ``kind`` is ``state``, ``round`` or a line of the ledger."""

    number: int
    at: datetime
    kind: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, row: RunEventRow) -> RunEventView:
        """A row as it is shown."""
        return cls(number=row.number, at=row.at, kind=row.kind, detail=row.detail)


class Verification(BaseModel):
    """Whether the folder of a run still says what it said.

    Attributes:
        lines: Lines of the ledger.
        findings: What does not hold; empty when everything does.
    """

    run: str
    holds: bool
    lines: int
    findings: list[str]
