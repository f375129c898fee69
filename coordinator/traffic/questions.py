"""Query strings → checked questions about a range of time."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from types import MappingProxyType
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from common.geometry import Direction
from common.ids import Label, Slug
from common.road_users import ROAD_USERS, RoadUser
from coordinator.traffic.periods import Period, Width, local_day, whole_bins
from coordinator.traffic.scenes import Scene, Series
from coordinator.traffic.service_level import Facility

LONGEST_DAYS = MappingProxyType(
    {
        Width.MINUTE: 2,
        Width.FIVE_MINUTES: 14,
        Width.QUARTER_HOUR: 35,
        Width.HOUR: 140,
        Width.DAY: 1100,
    }
)
"""Longest range of one question, so that no answer outgrows memory."""

MOST_ROWS = 20_000
_EARLIEST, _LATEST = date(2000, 1, 1), date(2100, 1, 1)


class Question(BaseModel):
    """A range (``from`` and ``to``), or one local day of the site (``day``)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="First moment", examples=["2026-03-02T00:00:00Z"]
    )
    to: AwareDatetime | None = Field(
        default=None,
        description="First moment after the range",
        examples=["2026-03-03T00:00:00Z"],
    )
    day: date | None = Field(
        default=None,
        description="A local day of the site, instead of from and to",
        examples=["2026-03-02"],
    )
    camera: Slug | None = Field(default=None, description="Only this camera")

    @field_validator("day")
    @classmethod
    def _is_near(cls, day: date | None) -> date | None:
        return None if day is None else near_day(day)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        is_range = self.from_ is not None and self.to is not None
        if (self.day is not None) == is_range or (self.from_ is None) != (self.to is None):
            raise ValueError("expected either from and to, or day")
        if self.from_ is not None and self.to is not None:
            near_day(self.from_.date())
            near_day(self.to.date())
            if self.to <= self.from_:
                raise ValueError(f"range ends at {self.to}, expected it after {self.from_}")
            longest = timedelta(days=self.longest_days)
            if self.to - self.from_ > longest:
                raise ValueError(
                    f"range of {self.to - self.from_}, expected at most {longest} "
                    "for bins of this width"
                )
        return self

    @property
    def longest_days(self) -> int:
        """Longest range that is answered at once."""
        return 35

    def period(self, zone: ZoneInfo) -> Period:
        """The range in UTC, as it was asked for."""
        if self.day is not None:
            return local_day(self.day, zone)
        if self.from_ is None or self.to is None:
            raise ValueError("a question has either from and to, or day")
        return Period(self.from_.astimezone(UTC), self.to.astimezone(UTC))

    def selects(self, scene: Scene, series: Series) -> bool:
        """True when the question is about ``series``."""
        return self.camera is None or scene.camera_of(series) == self.camera


class BinQuestion(Question):
    """A question whose answer comes in bins."""

    width: Width = Field(default=Width.QUARTER_HOUR, description="Width of the bins")
    section: Label | None = Field(default=None, description="Only this section or flow")
    direction: Direction | None = Field(default=None, description="Only this direction of a line")
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = Field(
        default=5000, description="Most rows of one page; a page holds whole bins"
    )

    @property
    def longest_days(self) -> int:
        """Longest range that is answered at once."""
        return LONGEST_DAYS[self.width]

    def bins(self, zone: ZoneInfo) -> Period:
        """The range in UTC, widened to whole bins."""
        return whole_bins(self.period(zone), self.width, zone)

    def selects(self, scene: Scene, series: Series) -> bool:
        """True when the question is about ``series``."""
        return (
            super().selects(scene, series)
            and self.section in (None, series.name)
            and (self.direction is None or series.direction == self.direction.value)
        )


class CountQuestion(BinQuestion):
    """Counts of lines or flows."""

    kind: Literal["line", "flow"] | None = Field(default=None, description="Only lines, or flows")
    road_user: tuple[RoadUser, ...] = Field(
        default=ROAD_USERS, min_length=1, max_length=6, description="Only these classes"
    )

    def selects(self, scene: Scene, series: Series) -> bool:
        """True when the question is about ``series``."""
        wanted = ("line", "flow") if self.kind is None else (self.kind,)
        return super().selects(scene, series) and series.kind in wanted


class TotalQuestion(CountQuestion):
    """Counts to be added up; flows unless lines are asked for."""

    kind: Literal["line", "flow"] = Field(default="flow", description="Flows, or lines")


class LineQuestion(BinQuestion):
    """Figures of lines."""

    def as_counts(self) -> CountQuestion:
        """The same about counts of lines."""
        return CountQuestion(**dict(self), kind="line")


class ServiceQuestion(BinQuestion):
    """Level of service; the road is not drawn, so the asker says what it is."""

    facility: Facility = Field(default=Facility.UNKNOWN, description="Kind of road")
    lanes: Annotated[int, Field(ge=1, le=12)] | None = Field(
        default=None, description="Lanes of the asked direction"
    )


class MovementQuestion(Question):
    """A turning-movement table in quarter hours; at most two days."""

    @property
    def longest_days(self) -> int:
        """Longest range that is answered at once."""
        return 2

    def bins(self, zone: ZoneInfo) -> Period:
        """The range in UTC, widened to quarter hours."""
        return whole_bins(self.period(zone), Width.QUARTER_HOUR, zone)


class SafetyQuestion(Question):
    """Incidents and conflicts; at most a week."""

    after: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=0, description="Only incidents with a higher id"
    )
    limit: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=200, description="Most incidents of one page"
    )

    @property
    def longest_days(self) -> int:
        """Longest range that is answered at once."""
        return 7


def near_day(day: date) -> date:
    """Refuse days that no time zone arithmetic should meet.

    Raises:
        ValueError: The day is before 2000 or after 2099.
    """
    if not _EARLIEST <= day < _LATEST:
        raise ValueError(f"day {day}, expected {_EARLIEST} to {_LATEST}")
    return day
