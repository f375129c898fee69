"""A committed bin → the small JSON of the live feed."""

from __future__ import annotations

from datetime import datetime

from coordinator.traffic.live_store import LiveBin
from coordinator.traffic.views import View


class LiveSeriesView(View):
    """One direction of a line or one flow; counts are null when unwatched or withheld."""

    kind: str
    name: str
    direction: str
    counts: dict[str, int] | None


class LiveBinView(View):
    """A bin that was just committed."""

    site: str
    camera: str
    start: datetime
    part: int
    width_s: int
    coverage: float
    quality: str
    series: list[LiveSeriesView]


def live_bin_view(one: LiveBin) -> LiveBinView:
    """The bin as JSON."""
    _, start, part, width_s = one.key
    return LiveBinView(
        site=one.site,
        camera=one.camera,
        start=start,
        part=part,
        width_s=width_s,
        coverage=round(min(1.0, one.coverage_s / width_s), 4),
        quality=one.quality,
        series=[
            LiveSeriesView(
                kind=series.kind,
                name=series.name,
                direction=series.direction,
                counts=series.counts,
            )
            for series in one.series
        ],
    )
