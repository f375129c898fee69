"""What every payload is made of → bounded types and the closed root model.

No type here takes free bytes or free text, and none is a picture: a message built of them
cannot carry one off a box. The one that can, on request, is ``common.plates``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.road_users import ROAD_USERS

MESSAGE_VERSION = 1
WIDTHS_S = (60, 300, 900, 3600)
"""Widths that a bin may have on the wire; a full outbox merges towards the right."""

MOST_MINUTES = 64
MOST_SECTIONS = 64

Count = Annotated[int, Field(ge=0, le=1_000_000)]
Amount = Annotated[float, Field(ge=0, le=1e9)]
Share = Annotated[float, Field(ge=0, le=1)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""A reason or kind out of a short list of ours, such as ``too_dark``."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_ -]{0,63}$")]
Counts = Annotated[tuple[Count, ...], Field(min_length=len(ROAD_USERS), max_length=len(ROAD_USERS))]
"""One number per class, in the order of ``ROAD_USERS``."""


class Kind(StrEnum):
    """What a payload is; the last part of its topic and a field of its header."""

    BINS = "bins"
    SITE = "site"
    HEALTH = "health"
    LOSS = "loss"
    INCIDENTS = "incidents"
    TWIN = "twin"
    PLATE = "plate"
    ACK = "ack"


class PrivacyMode(StrEnum):
    """What a camera gives away."""

    STATISTICS = "statistics"
    OPERATIONAL = "operational"


class ClockState(StrEnum):
    """Whether the box knew the time when it measured."""

    TRUSTED = "trusted"
    UNSURE = "unsure"


class Message(BaseModel):
    """Root of every payload: closed, frozen, finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, ser_json_inf_nan="null"
    )
