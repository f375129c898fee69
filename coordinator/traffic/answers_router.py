"""HTTP questions about traffic → answers, each number with its coverage and quality."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator

from common.security import Permission
from coordinator.problems import problems
from coordinator.security.access import may
from coordinator.traffic.movement_views import (
    CityDayView,
    FlowMatrixView,
    MovementTableView,
    SafetyView,
)
from coordinator.traffic.providers import CountsDep, FiguresDep, MovementsDep, OverviewDep, SitePath
from coordinator.traffic.questions import (
    BinQuestion,
    CountQuestion,
    MovementQuestion,
    Question,
    SafetyQuestion,
    ServiceQuestion,
    TotalQuestion,
    near_day,
)
from coordinator.traffic.views import (
    AreasView,
    CountsView,
    CrosswalksView,
    SceneView,
    ServiceView,
    SitesView,
    SpacingView,
    SpeedsView,
    TotalsView,
)

router = APIRouter(
    tags=["traffic"],
    dependencies=[may(Permission.TRAFFIC_READ)],
    responses=problems(404, 422, 503),
)


@router.get("/sites")
def list_sites(answers: OverviewDep) -> SitesView:
    """Every site."""
    return SitesView(sites=answers.sites())


@router.get("/sites/{site}")
def show_site(site: SitePath, answers: OverviewDep) -> SceneView:
    """One site with its cameras, sections, flows and areas."""
    return answers.scene(site)


@router.get("/sites/{site}/counts")
def show_counts(
    site: SitePath, question: Annotated[CountQuestion, Query()], answers: CountsDep
) -> CountsView:
    """Road users per class of every line direction and flow, bin by bin.

    Every bin of the range that has begun is there, whether it was reported or not. A page
    holds whole bins; `next_from` is the `from` of the next page.
    """
    return answers.counts(site, question)


@router.get("/sites/{site}/totals")
def show_totals(
    site: SitePath, question: Annotated[TotalQuestion, Query()], answers: CountsDep
) -> TotalsView:
    """Flows (or chosen lines) added up, bin by bin.

    A road user finishes one flow but may cross several lines: adding lines counts it again at
    each of them. Where some of the series were not watched, `coverage` is below 1 and the sum
    is of the others.
    """
    return answers.totals(site, question)


@router.get("/sites/{site}/movements")
def show_movements(
    site: SitePath, question: Annotated[MovementQuestion, Query()], answers: MovementsDep
) -> MovementTableView:
    """Turning movements: leg × movement × class in quarter hours, peak hour and its factor."""
    return answers.table_view(site, question)


@router.get("/sites/{site}/flows")
def show_flow_matrix(
    site: SitePath, question: Annotated[Question, Query()], answers: MovementsDep
) -> FlowMatrixView:
    """Origins and destinations inside the scene over the range, widened to quarter hours."""
    return answers.matrix(site, question)


@router.get("/sites/{site}/crosswalks")
def show_crosswalks(
    site: SitePath, question: Annotated[BinQuestion, Query()], answers: CountsDep
) -> CrosswalksView:
    """People who walked over crosswalks, where areas or lines are drawn for that."""
    return answers.crosswalks(site, question)


@router.get("/sites/{site}/speeds")
def show_speeds(
    site: SitePath, question: Annotated[BinQuestion, Query()], answers: FiguresDep
) -> SpeedsView:
    """Mean speed, V85 and histogram of every line direction; needs a calibrated camera."""
    return answers.speeds(site, question)


@router.get("/sites/{site}/headways")
def show_headways(
    site: SitePath, question: Annotated[BinQuestion, Query()], answers: FiguresDep
) -> SpacingView:
    """Headways and time gaps of every line direction."""
    return answers.headways(site, question)


@router.get("/sites/{site}/areas")
def show_areas(
    site: SitePath, question: Annotated[BinQuestion, Query()], answers: FiguresDep
) -> AreasView:
    """Occupancy, queues and dwell times of every area."""
    return answers.areas(site, question)


@router.get("/sites/{site}/service-levels")
def show_service_levels(
    site: SitePath, question: Annotated[ServiceQuestion, Query()], answers: FiguresDep
) -> ServiceView:
    """Level of service by density on motorways; elsewhere null with the reason.

    Control delay at junctions cannot be measured by a camera that sees vehicles only after
    they joined the queue, so no level is made up there.
    """
    return answers.service(site, question)


@router.get("/sites/{site}/safety")
def show_safety(
    site: SitePath, question: Annotated[SafetyQuestion, Query()], answers: OverviewDep
) -> SafetyView:
    """Incidents and conflicts per kind; single incidents of operational cameras."""
    return answers.safety(site, question)


@router.get("/city/days/{day}")
def show_city_day(
    day: Annotated[
        date,
        AfterValidator(near_day),
        Path(description="Local day, 2000 to 2099", examples=["2026-03-02"]),
    ],
    answers: OverviewDep,
) -> CityDayView:
    """Every site on one local day of each."""
    return answers.city_day(day)
