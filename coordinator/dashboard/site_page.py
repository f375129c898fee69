"""One site on one day → its counts beside the usual, movements, speeds, quality and downloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator

from common.ids import Slug
from common.road_users import ROAD_USERS, RoadUser
from common.security import Permission
from coordinator.dashboard.line_table import LineRow, lines_of
from coordinator.dashboard.movement_table import CHOICES, VEHICLES, Movements, movements_of
from coordinator.dashboard.rendering import render
from coordinator.dashboard.site_day import (
    WEEKS,
    SiteDay,
    SpeedDay,
    site_day,
    speed_day,
    usual_day,
)
from coordinator.dashboard.site_drawing import DayDrawing, day_drawing
from coordinator.dashboard.usual_days import UsualDay, UsualDays
from coordinator.dependencies import ClockDep, TenantDep
from coordinator.security.access import may
from coordinator.traffic.periods import Width, zone_of
from coordinator.traffic.providers import CountsDep, FiguresDep, MovementsDep, OverviewDep, SitePath
from coordinator.traffic.quality_router import QualityDep
from coordinator.traffic.quality_views import QualityView
from coordinator.traffic.questions import (
    BinQuestion,
    CountQuestion,
    Question,
    TotalQuestion,
    near_day,
)
from coordinator.traffic.views import SceneView, TotalsView

router = APIRouter(
    prefix="/sites/{site}", include_in_schema=False, dependencies=[may(Permission.TRAFFIC_READ)]
)

EARLIEST_DAY = date(2000, 1, 1)
"""Before that no question is answered."""

DayAsked = Annotated[date | None, AfterValidator(lambda day: near_day(day) if day else None)]
ClassAsked = Literal["vehicles"] | RoadUser


def site_scene(site: SitePath, overview: OverviewDep) -> SceneView:
    """The site with its cameras."""
    return overview.scene(site)


SceneDep = Annotated[SceneView, Depends(site_scene)]


def chosen_day(scene: SceneDep, clock: ClockDep, day: Annotated[DayAsked, Query()] = None) -> date:
    """The day that was asked for, today where none was; never one that is still to come."""
    today = clock.now().astimezone(zone_of(scene.timezone)).date()
    return min(day or today, today)


DayDep = Annotated[date, Depends(chosen_day)]


def usual_days(request: Request) -> UsualDays:
    """The memory of this process."""
    state = request.app.state
    if not hasattr(state, "usual_days"):
        state.usual_days = UsualDays()
    return cast(UsualDays, state.usual_days)


@dataclass(frozen=True, slots=True)
class SiteQuestion:
    """What every part of the page is asked about."""

    scene: SceneView
    day: date
    tenant: str
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """Of the site."""
        return zone_of(self.scene.timezone)

    @property
    def kind(self) -> Literal["flow", "line"]:
        """Flows where any is drawn, for adding lines counts road users twice."""
        series = (one for camera in self.scene.cameras for one in camera.series)
        return "flow" if any(one.kind == "flow" for one in series) else "line"


@dataclass(frozen=True, slots=True)
class DayData:
    """What stands beside the counts."""

    speeds: SpeedDay
    quality: QualityView
    lines: Sequence[LineRow]


def asked(scene: SceneDep, day: DayDep, tenant: TenantDep, clock: ClockDep) -> SiteQuestion:
    """The site and the day."""
    return SiteQuestion(scene, day, tenant, clock.now())


AskedDep = Annotated[SiteQuestion, Depends(asked)]


def counted_day(
    asked: AskedDep, counts: CountsDep, memory: Annotated[UsualDays, Depends(usual_days)]
) -> SiteDay:
    """The day beside the weeks before it."""
    site = asked.scene.site

    def totals(day: date) -> TotalsView:
        return counts.totals(site, TotalQuestion(day=day, kind=asked.kind))

    def work_out() -> UsualDay:
        weeks = [asked.day - timedelta(weeks=n) for n in range(1, WEEKS + 1)]
        past = [totals(week) for week in weeks if week >= EARLIEST_DAY]
        return usual_day(asked.day, asked.zone, past)

    usual = memory.find((asked.tenant, site, asked.kind, asked.day), asked.now, work_out)
    return site_day(
        asked.day,
        totals(asked.day),
        usual,
        now=asked.now,
        is_crossings=asked.kind == "line",
    )


def whole_day_speeds(asked: AskedDep, figures: FiguresDep) -> SpeedDay:
    """Speeds of the day in one bin."""
    question = BinQuestion(day=asked.day, width=Width.DAY)
    return speed_day((), figures.speeds(asked.scene.site, question))


CountedDep = Annotated[SiteDay, Depends(counted_day)]
SpeedsDep = Annotated[SpeedDay, Depends(whole_day_speeds)]


def turned(
    asked: AskedDep,
    answers: MovementsDep,
    user: ClassAsked = "vehicles",
    camera: Slug | None = None,
) -> Movements | None:
    """Turning movements of that day."""
    matrix = answers.matrix(asked.scene.site, Question(day=asked.day))
    return movements_of(asked.scene, matrix, camera=camera, choice=str(user))


TurnedDep = Annotated[Movements | None, Depends(turned)]


def day_data(asked: AskedDep, speeds: SpeedsDep, answers: QualityDep, counts: CountsDep) -> DayData:
    """Speeds, gaps and lines of that day."""
    site = asked.scene.site
    question = CountQuestion(day=asked.day, width=Width.DAY, kind="line")
    return DayData(
        speeds,
        answers.quality(site, Question(day=asked.day)),
        lines_of(asked.scene, counts.counts(site, question)),
    )


@router.get("", response_class=HTMLResponse)
def show_site(
    request: Request,
    scene: SceneDep,
    counted: CountedDep,
    turned: TurnedDep,
    data: Annotated[DayData, Depends(day_data)],
) -> HTMLResponse:
    """The page."""
    values = _page_values(scene, counted, turned)
    return render(
        request,
        "site.html",
        **values,
        speeds=data.speeds,
        quality=data.quality,
        lines=data.lines,
        road_users=ROAD_USERS,
    )


@router.get("/now", response_class=HTMLResponse)
def show_now(
    request: Request, scene: SceneDep, counted: CountedDep, speeds: SpeedsDep
) -> HTMLResponse:
    """The figures at the top, asked for again while the day runs."""
    return render(request, "site/_figures.html", scene=scene, counted=counted, speeds=speeds)


@router.get("/movements", response_class=HTMLResponse)
def show_movements(
    request: Request, scene: SceneDep, counted: CountedDep, turned: TurnedDep
) -> HTMLResponse:
    """The turning movements alone, for another class or camera."""
    return render(request, "site/_movements.html", **_page_values(scene, counted, turned))


@router.get("/day.json")
def show_day(asked: AskedDep, counted: CountedDep, figures: FiguresDep) -> DayDrawing:
    """What the charts draw."""
    speeds = figures.speeds(asked.scene.site, BinQuestion(day=asked.day))
    return day_drawing(counted, speed_day(counted.starts, speeds))


def _page_values(scene: SceneView, counted: SiteDay, turned: Movements | None) -> dict[str, Any]:
    today = counted.now.astimezone(counted.zone).date()
    return {
        "scene": scene,
        "counted": counted,
        "movements": turned,
        "choices": CHOICES,
        "choice": turned.choice if turned else VEHICLES,
        "today": today,
        "before": counted.day - timedelta(days=1),
        "after": counted.day + timedelta(days=1) if counted.day < today else None,
        "weekday": f"{counted.day:%A}",
    }
