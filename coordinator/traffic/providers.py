"""One request → the answers of its tenant at its moment, on its session."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path

from common.ids import SLUG_PATTERN
from coordinator.dependencies import ClockDep, SessionDep, TenantDep
from coordinator.traffic.count_answers import CountAnswers
from coordinator.traffic.figure_answers import FigureAnswers
from coordinator.traffic.movement_answers import MovementAnswers
from coordinator.traffic.overview_answers import OverviewAnswers

SitePath = Annotated[
    str, Path(pattern=SLUG_PATTERN, description="Slug of the site", examples=["elm-and-main"])
]
CameraPath = Annotated[
    str, Path(pattern=SLUG_PATTERN, description="Slug of the camera", examples=["cam-north"])
]


def count_answers(session: SessionDep, tenant: TenantDep, clock: ClockDep) -> CountAnswers:
    """Counts in bins."""
    return CountAnswers(session, tenant, now=clock.now())


def figure_answers(session: SessionDep, tenant: TenantDep, clock: ClockDep) -> FigureAnswers:
    """Figures in bins."""
    return FigureAnswers(session, tenant, now=clock.now())


def movement_answers(session: SessionDep, tenant: TenantDep, clock: ClockDep) -> MovementAnswers:
    """Tables of flows."""
    return MovementAnswers(session, tenant, now=clock.now())


def overview_answers(session: SessionDep, tenant: TenantDep, clock: ClockDep) -> OverviewAnswers:
    """Places."""
    return OverviewAnswers(session, tenant, now=clock.now())


CountsDep = Annotated[CountAnswers, Depends(count_answers)]
FiguresDep = Annotated[FigureAnswers, Depends(figure_answers)]
MovementsDep = Annotated[MovementAnswers, Depends(movement_answers)]
OverviewDep = Annotated[OverviewAnswers, Depends(overview_answers)]
