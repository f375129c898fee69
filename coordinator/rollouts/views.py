"""What the API, the pages and the command line show of rollouts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.ids import Slug
from common.release.manifest import ModelVersion
from coordinator.rollouts.states import BoxState, Limits, RolloutState
from coordinator.rollouts.tables import ModelRunRow, RolloutBoxRow, RolloutEventRow, RolloutRow

Share = Annotated[float, Field(ge=0, le=1)]

_EXAMPLE: dict[str, Any] = {
    "rollout": "1-1-0-7f3a",
    "version": "1.1.0",
    "name": "its-yolo11n",
    "state": "canary",
    "is_paused": False,
    "wave": 0,
    "waves": 3,
    "boxes": {"pending": 8, "confirmed": 1, "told": 1},
    "limits": {"most_failed": 0.1, "least_confirmed": 1.0, "watch_s": 900.0},
    "created_at": "2026-03-08T12:00:00Z",
    "created_by": "Ada",
    "changed_at": "2026-03-08T12:00:02Z",
    "reason": "the canaries are told",
}


class LimitsView(BaseModel):
    """What a rollout may cost, and how long it looks before it goes on."""

    model_config = ConfigDict(extra="forbid")

    most_failed: Annotated[
        float, Field(ge=0, lt=1, description="Share of the boxes told that may fail")
    ] = Limits().most_failed
    least_confirmed: Annotated[
        float, Field(gt=0, le=1, description="Share of the canaries that must confirm")
    ] = Limits().least_confirmed
    watch_s: Annotated[
        float, Field(ge=0, le=30 * 86_400, description="Quiet time before the next wave")
    ] = Limits().watch_s

    def limits(self) -> Limits:
        """As the state machine takes them."""
        return Limits(**self.model_dump())


class RolloutWish(BaseModel):
    """Which version shall go out, and how carefully."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"version": "1.1.0", "canaries": 2}}
    )

    version: ModelVersion
    canaries: Annotated[
        int | None, Field(ge=1, le=100_000, description="Boxes that go first; default: a tenth")
    ] = None
    waves: Annotated[
        tuple[Share, ...], Field(min_length=1, max_length=10, description="Rising shares, to 1")
    ] = (0.25, 1.0)
    limits: LimitsView = LimitsView()
    devices: Annotated[
        tuple[Slug, ...] | None, Field(max_length=10_000, description="Only these boxes")
    ] = None


class RolloutView(BaseModel):
    """A rollout.

    Attributes:
        wave: 0 for the canaries.
        boxes: State → number of boxes.
        reason: Why it is in its state.
    """

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    rollout: str
    version: str
    name: str
    state: RolloutState
    is_paused: bool
    wave: int
    waves: int
    boxes: dict[BoxState, int]
    limits: LimitsView
    created_at: datetime
    created_by: str
    changed_at: datetime
    reason: str

    @classmethod
    def of(cls, row: RolloutRow, boxes: dict[str, int]) -> RolloutView:
        """A row as it is shown."""
        return cls(
            rollout=row.id,
            **row.model_dump(include=set(cls.model_fields) - {"boxes", "state", "limits"}),
            state=RolloutState(row.state),
            limits=LimitsView.model_validate(row.limits),
            boxes={BoxState(state): count for state, count in boxes.items()},
        )


class RolloutBoxView(BaseModel):
    """What became of a rollout on one box.

    Attributes:
        step: Where the box said it is.
        reason: Why it refused the version or took it back, in its own word.
        gate: What its accuracy gate measured.
        before_version: What it ran when it was told.
    """

    device: str
    site: str
    wave: int
    state: BoxState
    step: str | None
    reason: str | None
    gate: dict[str, Any] | None
    before_version: str | None
    told_at: datetime | None
    settled_at: datetime | None

    @classmethod
    def of(cls, row: RolloutBoxRow) -> RolloutBoxView:
        """A row as it is shown."""
        shown = set(cls.model_fields) - {"device", "state"}
        return cls(device=row.device_id, state=BoxState(row.state), **row.model_dump(include=shown))


class RolloutEventView(BaseModel):
    """Something that happened in a rollout."""

    number: int
    at: datetime
    by: str
    kind: str
    text: str

    @classmethod
    def of(cls, row: RolloutEventRow) -> RolloutEventView:
        """A row as it is shown."""
        return cls.model_validate(row.model_dump(include=set(cls.model_fields)))


class RolloutDetailView(RolloutView):
    """A rollout with every box and everything that happened."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**_EXAMPLE, "members": [], "events": []}}
    )

    members: list[RolloutBoxView]
    events: list[RolloutEventView]


class ModelRunView(BaseModel):
    """A time in which a box, and every camera of it, counted with one model."""

    device: str
    site: str
    version: str
    sha256: str
    slot: str
    began_at: datetime
    ended_at: datetime | None
    why: str
    rollout: str | None

    @classmethod
    def of(cls, row: ModelRunRow) -> ModelRunView:
        """A row as it is shown."""
        shown = set(cls.model_fields) - {"device", "rollout"}
        return cls(device=row.device_id, rollout=row.rollout_id, **row.model_dump(include=shown))


class Ending(BaseModel):
    """Why somebody halts a rollout or takes it back."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "cyclists are missed at dusk"}}
    )

    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    ]
