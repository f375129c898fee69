"""What a box remembers of its releases → one closed value, written whole at every step."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from common.ids import Slug
from common.release.manifest import ModelVersion
from common.release_state import GateFigures, SlotName, Step
from common.wire import Code, Digest

PREPARING = frozenset({Step.FETCHING, Step.VERIFYING, Step.BUILDING, Step.GATING})
"""Steps in which the box still counts with what it had."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Named(_Part):
    """A model by name and version; ``version`` is free for a packaged one."""

    name: Annotated[str, Field(max_length=160)]
    version: Annotated[str, Field(max_length=160)]


class Wish(_Part):
    """A release that the coordinator wants.

    Attributes:
        attempt: Rises when somebody wants it tried once more after a refusal.
        order: Version of the signed order that asked for it.
    """

    name: Slug
    version: ModelVersion
    attempt: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    order: Annotated[int, Field(ge=1, le=2**31)]

    def names(self, other: Named | SlotNote | Wish) -> bool:
        """Whether this is the one that is wished."""
        return (self.name, self.version) == (other.name, other.version)

    def asks_the_same_as(self, other: Wish) -> bool:
        """Whether both are one wish, however many orders repeated it."""
        return self.names(other) and self.attempt == other.attempt


class SlotNote(_Part):
    """A release by everything that its files must agree with."""

    name: Slug
    version: ModelVersion
    manifest_sha256: Digest
    model_sha256: Digest


class CameraRate(_Part):
    """How many frames a second a camera gave before a new model took over."""

    camera: Slug
    fps: Annotated[float, Field(gt=0, le=1e6)]


class Record(_Part):
    """The pointer to the model that counts, and how far the last wish came.

    Attributes:
        active: Slot of the model that counts.
        former: Slot to go back to.
        slots: What lies in ``a`` and ``b``; the factory's model is not ours to describe.
        seen: Version of the newest order that was looked at; it is not judged again.
        wish: The last wish that was taken up.
        waiting: A newer one, while the last is still being watched.
        reason: Why the step is what it is.
        gate: What the gate measured.
        since: When the step began, None before the first.
        candidate: What was fetched and is not in a slot yet.
        target: Slot that the candidate goes to, once it passed the gate.
        attempts: Starts of the agent since the candidate was fetched.
        starts: Of the agent with the model that is being watched.
        before: What the cameras gave before it.
    """

    schema_version: Literal[1] = 1
    active: SlotName = SlotName.FACTORY
    former: SlotName = SlotName.FACTORY
    slots: dict[SlotName, SlotNote] = Field(default_factory=dict)
    seen: int = 0
    wish: Wish | None = None
    waiting: Wish | None = None
    step: Step = Step.IDLE
    reason: Code | None = None
    gate: GateFigures | None = None
    since: AwareDatetime | None = None
    candidate: SlotNote | None = None
    target: SlotName | None = None
    attempts: int = 0
    starts: int = 0
    before: tuple[CameraRate, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        known = {SlotName.FACTORY, *self.slots}
        if SlotName.FACTORY in self.slots:
            raise ValueError("the factory's slot is described, expected a and b alone")
        if not {self.active, self.former} <= known:
            raise ValueError(f"{self.active} or {self.former} is empty, expected one of {known}")
        if self.step in PREPARING | {Step.WATCHING} and self.wish is None:
            raise ValueError(f"step {self.step} without a wish")
        return self

    @property
    def free(self) -> SlotName:
        """Where the next release goes: never where the box counts or, if it can be, came from."""
        taken = {self.active, self.former}
        if self.active is SlotName.A:
            return SlotName.B
        return SlotName.B if SlotName.A in taken and self.active is not SlotName.B else SlotName.A
