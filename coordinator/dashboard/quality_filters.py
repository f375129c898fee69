"""The address of the data quality page → which places and days are shown, and back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from common.ids import Slug
from coordinator.dashboard.form_fields import BLANK_IS_NONE
from coordinator.traffic.anomaly_store import AnomalyKind, ReviewState
from coordinator.traffic.gaps import Reason
from coordinator.traffic.periods import Period, local_day
from coordinator.traffic.quality_views import RowId
from coordinator.traffic.questions import near_day

USUAL_DAYS = 7
MOST_DAYS = 92
"""Three months: on a strip of a screen's width a gap of an hour is then one pixel."""


class QualityQuery(BaseModel):
    """What is shown; ``to`` is the last day, included."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    site: Annotated[Slug | None, BLANK_IS_NONE] = None
    state: Annotated[ReviewState | None, BLANK_IS_NONE] = None
    kind: Annotated[AnomalyKind | None, BLANK_IS_NONE] = None
    reason: Annotated[Reason | None, BLANK_IS_NONE] = None
    from_: Annotated[date | None, BLANK_IS_NONE] = Field(default=None, alias="from")
    to: Annotated[date | None, BLANK_IS_NONE] = None
    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    before: Annotated[RowId | None, BLANK_IS_NONE] = None

    def days(self, now: datetime, zone: ZoneInfo) -> tuple[date, date]:
        """First and last day: as asked for, in order, and not more than can be drawn."""
        today = now.astimezone(zone).date()
        last = _near(self.to) or max(today, _near(self.from_) or today)
        first = _near(self.from_) or last - timedelta(days=USUAL_DAYS - 1)
        first, last = min(first, last), max(first, last)
        return max(first, last - timedelta(days=MOST_DAYS - 1)), last

    def period(self, now: datetime, zone: ZoneInfo) -> Period:
        """The same as moments."""
        first, last = self.days(now, zone)
        return Period(local_day(first, zone).start, local_day(last, zone).end)

    def address(self, **changes: Any) -> str:
        """This page with something else; None leaves a part out."""
        kept = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        if kept["page"] == 1:
            del kept["page"]
        for name, value in changes.items():
            kept.pop(name, None)
            if value is not None:
                kept[name] = value
        return "/quality" + (f"?{urlencode(kept)}" if kept else "")


def _near(day: date | None) -> date | None:
    """A day of this century; years that nobody means are as good as none."""
    if day is None:
        return None
    try:
        return near_day(day)
    except ValueError:
        return None
