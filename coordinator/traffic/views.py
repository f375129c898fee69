"""Answers → the JSON that clients see; every number with its coverage and quality."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from common.road_users import RoadUser
from coordinator.traffic.coverage import State, Verdict
from coordinator.traffic.periods import Width
from coordinator.traffic.service_level import NoLevel


class View(BaseModel):
    """Root of every answer; attributes are sent under their aliases."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class SiteView(View):
    """A place with cameras."""

    site: str = Field(examples=["elm-and-main"])
    name: str = Field(examples=["Elm and Main"])
    timezone: str = Field(examples=["Europe/Vienna"])
    latitude: float | None = Field(examples=[48.2])
    longitude: float | None = Field(examples=[16.37])


class SitesView(View):
    """Every site."""

    sites: list[SiteView]


class SeriesView(View):
    """One thing that is counted; ``movement``, ``leg`` and ``use`` as it is drawn."""

    kind: str = Field(description="line, flow or area", examples=["line"])
    name: str = Field(examples=["north-leg"])
    direction: str = Field(description="right, left or empty", examples=["right"])
    use: str | None = Field(default=None, examples=["traffic"])
    leg: str | None = Field(default=None, description="Where a flow comes from")
    to_leg: str | None = Field(default=None, description="Where a flow goes to")
    movement: str | None = Field(default=None, examples=["thru"])


class CameraView(View):
    """A camera with what it counts."""

    camera: str = Field(examples=["cam-north"])
    since: datetime
    is_calibrated: bool | None = Field(description="None before the box told its layout")
    series: list[SeriesView]


class SceneView(SiteView):
    """A site with its cameras."""

    cameras: list[CameraView]


class BinView(View):
    """What every bin says of itself.

    A number is null unless ``state`` is ``measured``: 0 means watched and none seen.
    """

    start: datetime
    state: State = Field(description="Whether there is a number, and if not, why")
    coverage: float = Field(description="Watched over wanted seconds, 0 to 1")
    quality: float = Field(description="Share of the wanted seconds watched without doubt")
    verdict: Verdict


class WatchedView(View):
    """How well was watched; every list has a value for every bin."""

    coverage: list[float] = Field(description="Watched over wanted seconds, 0 to 1")
    quality: list[float] = Field(description="Share of the wanted seconds watched without doubt")
    verdict: list[Verdict]


class CameraWatchedView(WatchedView):
    """How well one camera watched."""

    camera: str = Field(examples=["cam-north"])


class CountListsView(View):
    """Road users; every list has a value for every bin.

    A number is null unless the ``state`` of its bin is ``measured``: 0 means watched and none
    seen.
    """

    state: list[State] = Field(description="Whether there is a number, and if not, why")
    counts: dict[RoadUser, list[int | None]] = Field(
        description="Class → road users", examples=[{"car": [41, None]}]
    )
    total: list[int | None] = Field(examples=[[41, None]])
    withheld_share: list[float] = Field(description="Share of the reported bins that are not in it")


class SeriesCountsView(CountListsView):
    """Counts of one series; how well was watched is told once for its camera."""

    camera: str
    kind: str
    name: str
    direction: str


class AnswerView(View):
    """What every answer says of its range; ``next_from`` starts the next page."""

    site: str = Field(examples=["elm-and-main"])
    timezone: str = Field(examples=["Europe/Vienna"])
    from_: datetime = Field(alias="from")
    to: datetime
    next_from: datetime | None = None


class CountsView(AnswerView):
    """Counts in bins; every list has a value for every one of ``starts``."""

    width: Width
    starts: list[datetime] = Field(description="First moment of every bin")
    cameras: list[CameraWatchedView]
    series: list[SeriesCountsView]


class TotalsView(AnswerView, WatchedView, CountListsView):
    """Counts in bins, the chosen series added up; every list has a value for every bin."""

    width: Width
    starts: list[datetime] = Field(description="First moment of every bin")
    added: int = Field(description="How many series were added up")


class SpeedBinView(BinView):
    """Speeds of one series in one bin."""

    speeds: int = Field(description="How many speeds were measured")
    mean_kmh: float | None
    v85_kmh: float | None = Field(description="Speed that 85 % did not exceed")
    histogram: dict[int, int] = Field(description="Lower bound of a 5 km/h class → vehicles")


class SpacingBinView(BinView):
    """Headways and time gaps of one series in one bin."""

    headways: int
    headway_mean_s: float | None
    headway_least_s: float | None
    time_gaps: int
    time_gap_mean_s: float | None


class AreaBinView(BinView):
    """One area in one bin."""

    occupied_share: float | None
    queue_most: int | None = Field(description="Most standing vehicles at one time")
    queue_most_m: float | None = Field(description="Longest queue; needs a calibration")
    dwell_mean_s: float | None
    walks: int | None = Field(description="People who walked across a crosswalk")
    withheld_share: float = Field(description="Share of the reported bins that are not in it")


class ServiceBinView(BinView):
    """Level of service of one direction in one bin, or the reason why there is none."""

    level: str | None = Field(examples=["C"])
    reason: NoLevel | None
    flow_pc_h: float | None
    space_mean_kmh: float | None
    density_pc_km_lane: float | None


class SeriesFiguresView(View):
    """Figures of one series."""

    camera: str
    name: str
    direction: str


class SeriesSpeedsView(SeriesFiguresView):
    """Speeds of one direction of a line."""

    bins: list[SpeedBinView]


class SeriesSpacingView(SeriesFiguresView):
    """Headways of one direction of a line."""

    bins: list[SpacingBinView]


class SeriesAreaView(SeriesFiguresView):
    """Figures of one area."""

    use: str | None
    bins: list[AreaBinView]


class SeriesServiceView(SeriesFiguresView):
    """Level of service of one direction of a line."""

    bins: list[ServiceBinView]


class SpeedsView(AnswerView):
    """Speeds in bins."""

    width: Width
    series: list[SeriesSpeedsView]


class SpacingView(AnswerView):
    """Headways in bins."""

    width: Width
    series: list[SeriesSpacingView]


class AreasView(AnswerView):
    """Occupancy, queues and walks in bins."""

    width: Width
    series: list[SeriesAreaView]


class ServiceView(AnswerView):
    """Levels of service in bins."""

    width: Width
    series: list[SeriesServiceView]


class CrosswalksView(AnswerView):
    """People on crosswalks: walks across areas, and crossings of crosswalk lines."""

    width: Width
    areas: list[SeriesAreaView]
    starts: list[datetime] = Field(description="First moment of every bin of the lines")
    cameras: list[CameraWatchedView]
    lines: list[SeriesCountsView]
