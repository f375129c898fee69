"""The ``learn`` section of edge.yaml → what a box keeps to learn from, and when it may train."""

from __future__ import annotations

import re
from datetime import UTC, time, tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def window_of(text: str) -> tuple[time, time]:
    """``22:00-05:00`` as its two ends; the second may be on the next day.

    Raises:
        ValueError: Not written like that, or without an extent.
    """
    found = _WINDOW.fullmatch(text)
    if not found or found[0][:5] == found[0][6:]:
        raise ValueError(f"window {text!r}, expected two times such as 22:00-05:00")
    hours = [int(part) for part in found.groups()]
    return time(hours[0], hours[1]), time(hours[2], hours[3])


def _checked_window(text: str) -> str:
    window_of(text)
    return text


def zone_of(name: str) -> tzinfo:
    """A time zone by its name; UTC is known without a database of zones too.

    Raises:
        ValueError: No such zone on this machine.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"time zone {name!r}, expected one such as Europe/Paris") from error


def _checked_zone(name: str) -> str:
    zone_of(name)
    return name


class SamplingSettings(_Model):
    """Which pictures are kept: from each window of time the one that teaches most.

    Attributes:
        window_s: One picture at most per camera and window.
        spacing_s: Least time between two of them.
        per_day: Most pictures of one camera and day of the box's time zone.
        reason_share: Among the last 20 kept of a camera, no reason has more than this share.
        seed: Decides between pictures that teach the same.
        most_side_px: Pictures are kept no larger.
    """

    window_s: float = Field(default=120, ge=1, le=3600)
    spacing_s: float = Field(default=60, ge=0, le=3600)
    per_day: int = Field(default=400, ge=1, le=100_000)
    reason_share: float = Field(default=0.5, gt=0, le=1)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    most_side_px: int = Field(default=1280, ge=320, le=4096)


class TeachingSettings(_Model):
    """The slower, better pass over kept pictures.

    Attributes:
        long_side_px: Its larger input; a model of fixed size overrules it.
        busy_share: It waits while more of the processor than this is used by others.
    """

    is_on: bool = True
    long_side_px: int = Field(default=960, ge=320, le=1920, multiple_of=32)
    busy_share: float = Field(default=0.75, gt=0, le=1)


class ReadinessSettings(_Model):
    """When a box may train; counting comes first at any time.

    Attributes:
        most_temperature_c: Hottest part of the box. Fanless boxes slow down from about 85 to
            100 degrees on; 75 leaves counting its room on a summer day.
        most_power_w: What the box may draw, where it can measure that; None asks nothing.
        needs_mains: Not on battery.
        most_load: Share of the processor used by everything but background work.
        least_memory_mb: Free for a trainer, which takes about 1100 MB at its peak.
        least_samples: Labelled pictures.
        window: Time of day in ``timezone``; None is always.
        when_unknown: What a sensor that a box does not have means: ``go`` or ``wait``.
    """

    most_temperature_c: float = Field(default=75, ge=20, le=120)
    most_power_w: float | None = Field(default=None, gt=0, le=1000)
    needs_mains: bool = True
    most_load: float = Field(default=0.85, gt=0, le=1)
    least_memory_mb: float = Field(default=1500, ge=0, le=1_000_000)
    least_samples: int = Field(default=50, ge=1, le=100_000)
    window: Annotated[str, AfterValidator(_checked_window)] | None = None
    when_unknown: Literal["go", "wait"] = "go"


class LearnSettings(_Model):
    """Without this section nothing is kept to learn from.

    Attributes:
        vault_mb: Room for encrypted pictures; the least valuable go first.
        keep_days: Older pictures go, labelled by a technician or not.
        trains: Take part in federated rounds, once the coordinator told where.
        timezone: Of the window, and of hours and days when pictures are chosen.
    """

    vault_mb: float = Field(default=500, ge=1, le=1_000_000)
    keep_days: float = Field(default=30, gt=0, le=3660)
    trains: bool = True
    timezone: Annotated[str, AfterValidator(_checked_zone)] = "UTC"
    sampling: SamplingSettings = SamplingSettings()
    teaching: TeachingSettings = TeachingSettings()
    readiness: ReadinessSettings = ReadinessSettings()

    @property
    def zone(self) -> tzinfo:
        """``timezone`` itself."""
        return zone_of(self.timezone)

    @property
    def vault_bytes(self) -> int:
        """``vault_mb`` in bytes."""
        return int(self.vault_mb * 1_000_000)
