"""What the API, the pages and the command line show of versions of the model."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from common.release.candidate import Judged, Lineage
from coordinator.registry.stages import ORDER, DeploymentStage, after, missing_for
from coordinator.registry.store import facts_of
from coordinator.registry.tables import ModelEventRow, ModelVersionRow

_EXAMPLE: dict[str, Any] = {
    "version": "1.1.0",
    "name": "its-yolo11n",
    "stage": "canary",
    "is_current": False,
    "rejections": [],
    "sha256": "3f" * 32,
    "size_bytes": 10_700_000,
    "parent_version": "1.0.0",
    "run": "night-2026-03",
    "gain_map50_95": 0.012,
    "is_signed": True,
    "canaries": 2,
    "registered_at": "2026-03-08T12:00:00Z",
    "registered_by": "command:ml",
    "proposed_at": None,
    "proposed_by": None,
    "production_at": None,
}


class ModelView(BaseModel):
    """A version of the model.

    Attributes:
        is_current: It entered production last.
        rejections: Why the bench rejected it; such a version goes nowhere.
        gain_map50_95: Against the model in use when it was measured, as a share.
        canaries: Boxes that confirmed it in a canary that held.
        proposed_by: Who wants it in production; a second person must approve.
    """

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    version: str
    name: str
    stage: DeploymentStage
    is_current: bool
    rejections: list[str]
    sha256: str | None
    size_bytes: int
    parent_version: str | None
    run: str | None
    gain_map50_95: float | None
    is_signed: bool
    canaries: int
    registered_at: datetime
    registered_by: str
    proposed_at: datetime | None
    proposed_by: str | None
    production_at: datetime | None

    @classmethod
    def of(cls, row: ModelVersionRow, *, current: str | None) -> ModelView:
        """A row as it is shown."""
        lineage = row.lineage or {}
        return cls(
            **row.model_dump(include=set(cls.model_fields) - {"stage"}),
            stage=DeploymentStage(row.stage),
            is_current=row.version == current,
            parent_version=lineage.get("parent_version"),
            run=lineage.get("run"),
            gain_map50_95=(row.judged or {}).get("gain_map50_95"),
            is_signed=row.manifest_sha256 is not None,
        )


class GateView(BaseModel):
    """One gate: whether it was passed, and what is missing to it.

    Attributes:
        needs_approval: A second person lets the version through.
    """

    stage: DeploymentStage
    is_passed: bool
    is_next: bool
    missing: list[str]
    needs_approval: bool


class ModelEventView(BaseModel):
    """Something that happened to a version."""

    number: int
    at: datetime
    by: str
    kind: str
    stage: DeploymentStage | None
    holds: bool
    text: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, row: ModelEventRow) -> ModelEventView:
        """A row as it is shown."""
        return cls.model_validate(row.model_dump(exclude={"tenant_id", "version"}))


class ModelFileView(BaseModel):
    """One file of a version."""

    name: str
    sha256: str
    size_bytes: int


class ModelDetailView(ModelView):
    """A version with everything that is known of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_EXAMPLE,
                "lineage": None,
                "judged": None,
                "files": [],
                "gates": [],
                "events": [],
            }
        }
    )

    lineage: Lineage | None
    judged: Judged | None
    files: list[ModelFileView]
    gates: list[GateView]
    events: list[ModelEventView]

    @classmethod
    def of_all(
        cls, row: ModelVersionRow, events: list[ModelEventView], *, current: str | None
    ) -> ModelDetailView:
        """A row and its events as they are shown."""
        return cls(
            **ModelView.of(row, current=current).model_dump(),
            lineage=Lineage.model_validate(row.lineage) if row.lineage else None,
            judged=Judged.model_validate(row.judged) if row.judged else None,
            files=[ModelFileView(name=name, **facts) for name, facts in sorted(row.files.items())],
            gates=gates_of(row),
            events=events,
        )


class Proposal(BaseModel):
    """A wish that a version goes on to the next stage."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"stage": "staging"}})

    stage: DeploymentStage


class Declining(BaseModel):
    """Why somebody does not let a version into production."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "misses cyclists at dusk"}}
    )

    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    ]


class Delivered(BaseModel):
    """What a delivery of signed releases brought.

    Attributes:
        targets_version: Version of the signed list that boxes see now.
        signed: Versions that the list names with exactly the weights that are registered.
        unknown: Versions that it names and nobody registered, or with other weights.
    """

    targets_version: int
    signed: list[str]
    unknown: list[str]


def gates_of(row: ModelVersionRow) -> list[GateView]:
    """Every gate of a version, in order."""
    facts = facts_of(row)
    place = ORDER.index(facts.stage)
    following = after(facts.stage)
    return [
        GateView(
            stage=stage,
            is_passed=ORDER.index(stage) <= place,
            is_next=stage is following,
            missing=[] if ORDER.index(stage) <= place else list(missing_for(facts, stage)),
            needs_approval=stage is DeploymentStage.PRODUCTION,
        )
        for stage in ORDER[1:]
    ]


class OnlineKeysView(BaseModel):
    """Base64 of the raw Ed25519 keys that a root must name for this coordinator."""

    snapshot: str
    timestamp: str
