"""Gaps, maintenance and anomalies ↔ JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from common.ids import Slug
from coordinator.traffic.anomaly_store import AnomalyKind, ReviewState
from coordinator.traffic.coverage import Verdict
from coordinator.traffic.gaps import Reason
from coordinator.traffic.periods import Period
from coordinator.traffic.questions import near_day
from coordinator.traffic.views import AnswerView, View

# A NUL cannot be stored in PostgreSQL text.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", strip_whitespace=True)]
RowId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class GapView(View):
    """An interval in which a camera watched nothing, or nothing arrived."""

    camera: str = Field(examples=["cam-north"])
    start: datetime
    end: datetime
    seconds: float
    reason: Reason
    threshold_s: float = Field(
        description="Pauses of this camera up to here are usual; learned from its history"
    )


class MaintenanceView(View):
    """A time in which somebody worked at a camera."""

    camera: str
    start: datetime
    end: datetime
    note: str


class CameraQualityView(View):
    """How well one camera watched over the range."""

    camera: str
    coverage: float
    quality: float
    verdict: Verdict
    frames_dropped_share: float | None
    gap_threshold_s: float | None = Field(description="Null before the first scan")
    learned_from_pauses: int | None


class QualityView(AnswerView):
    """Coverage, gaps and maintenance of a site."""

    cameras: list[CameraQualityView]
    gaps: list[GapView]
    maintenance: list[MaintenanceView]


class NoteView(View):
    """What somebody wrote, and the state that the anomaly got with it."""

    at: datetime
    state: ReviewState
    text: str
    author: str = Field(description="Who wrote it; empty where that was not kept yet")


class AnomalyView(View):
    """Numbers that do not look like this place."""

    id: int
    site: str
    camera: str
    kind: AnomalyKind
    subject: str = Field(examples=["north-leg right"])
    start: datetime
    end: datetime
    score: float
    detail: dict[str, Any]
    state: ReviewState
    found_at: datetime
    reviewed_at: datetime | None
    notes: list[NoteView] = Field(description="Only when one anomaly is asked for")


class AnomaliesView(View):
    """Newest first; ``next_before`` starts the next page."""

    anomalies: list[AnomalyView]
    next_before: int | None


class AnomalyQuestion(BaseModel):
    """Which anomalies are wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    site: Slug | None = None
    state: ReviewState | None = None
    kind: AnomalyKind | None = None
    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="Only those that lasted longer"
    )
    to: AwareDatetime | None = Field(default=None, description="Only those that began before")
    before: RowId | None = Field(default=None, description="Only lower ids")
    limit: Annotated[int, Field(ge=1, le=500)] = 100

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if (self.from_ is None) != (self.to is None):
            raise ValueError("expected both from and to, or neither")
        if self.from_ is not None and self.to is not None and self.to <= self.from_:
            raise ValueError(f"range ends at {self.to}, expected it after {self.from_}")
        return self

    @property
    def period(self) -> Period | None:
        """The range in UTC, None for all times."""
        if self.from_ is None or self.to is None:
            return None
        return Period(self.from_.astimezone(UTC), self.to.astimezone(UTC))


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Review(_Body):
    """A verdict on an anomaly."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"state": "confirmed", "text": "camera was remounted, legs swapped"}]
        }
    )

    state: ReviewState
    text: Annotated[Text, Field(max_length=2000)] = ""


class NewNote(_Body):
    """A note that leaves the state as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "asked the road crew"}]})

    text: Annotated[Text, Field(min_length=1, max_length=2000)]


class NewMaintenance(_Body):
    """A maintenance window, past or planned; at most 31 days."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "start": "2026-03-02T08:00:00Z",
                    "end": "2026-03-02T09:30:00Z",
                    "note": "lens cleaned",
                }
            ]
        }
    )

    start: AwareDatetime
    end: AwareDatetime
    note: Annotated[Text, Field(max_length=512)] = ""

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        near_day(self.start.date())
        near_day(self.end.date())
        if not 0 < (self.end - self.start).total_seconds() <= 31 * 86_400:
            raise ValueError(f"window {self.start} to {self.end}, expected up to 31 days")
        return self
