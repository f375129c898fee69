"""A picture that a box may learn from, with what is known of it → closed value models.

They live on the box alone; ``common.sample_files`` keeps them. No message is built of them.
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from common.ids import Slug
from common.road_users import ROAD_USER_INDEX, RoadUser
from common.wire import Code

MOST_JPEG_BYTES = 8_000_000

Part = Annotated[float, Field(ge=0, le=1)]


class LabelSource(StrEnum):
    """Who said what is in the picture."""

    NONE = "none"
    TRACKS = "tracks"
    TEACHER = "teacher"
    TECHNICIAN = "technician"


LABELLED = frozenset(LabelSource) - {LabelSource.NONE}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Region(_Model):
    """A rectangle by centre and size, in shares of the picture's width and height.

    Attributes:
        road_user: What may be there, None where nobody can say.
    """

    cx: Part
    cy: Part
    w: Part
    h: Part
    road_user: RoadUser | None = None


class SampleBox(Region):
    """One road user; a rider and the cycle are two boxes, as a detector is taught.

    Attributes:
        score: How sure whoever drew it was; 1 for a technician.
        is_seen: False for a place that only follows from the pictures before and after.
    """

    road_user: RoadUser
    score: Part = 1.0
    is_seen: bool = True

    @property
    def class_index(self) -> int:
        """Index among ``ROAD_USERS``."""
        return ROAD_USER_INDEX[self.road_user]


class SampleFacts(_Model):
    """Everything about a sample but its picture.

    Attributes:
        taken_at: When the camera saw it.
        ignore: Where something may be that nobody is sure of: training paints them over,
            but not what of ``boxes`` lies inside them.
        reasons: Why it was kept.
        value: How much is lost with it, in [0, 1]; the least goes first when room is needed.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] = Field(
        default_factory=lambda: secrets.token_hex(8)
    )
    camera: Slug
    taken_at: AwareDatetime
    source: LabelSource = LabelSource.NONE
    boxes: Annotated[tuple[SampleBox, ...], Field(max_length=1000)] = ()
    ignore: Annotated[tuple[Region, ...], Field(max_length=1000)] = ()
    reasons: Annotated[tuple[Code, ...], Field(max_length=16)] = ()
    value: Part = 0.0

    @property
    def order(self) -> tuple[float, str, str]:
        """Sorts samples the same way on every reading."""
        return self.taken_at.timestamp(), self.camera, self.id


class Sample(SampleFacts):
    """A picture with what is known of it.

    Attributes:
        jpeg: The picture as the camera gave it, nothing hidden in it.
    """

    jpeg: bytes = Field(repr=False)

    @model_validator(mode="after")
    def _is_small_enough(self) -> Self:
        if not 0 < len(self.jpeg) <= MOST_JPEG_BYTES:
            raise ValueError(f"picture of {len(self.jpeg)} bytes, expected 1 to {MOST_JPEG_BYTES}")
        return self
