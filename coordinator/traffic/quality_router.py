"""HTTP questions about data quality → coverage, gaps, maintenance and anomalies."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from common.security import Permission
from coordinator.dependencies import ClockDep, SessionDep, TenantDep
from coordinator.problems import problems
from coordinator.security.access import may
from coordinator.traffic.providers import CameraPath, SitePath
from coordinator.traffic.quality_answers import QualityAnswers
from coordinator.traffic.quality_views import (
    AnomaliesView,
    AnomalyQuestion,
    AnomalyView,
    MaintenanceView,
    NewMaintenance,
    NewNote,
    QualityView,
    Review,
)
from coordinator.traffic.questions import Question

router = APIRouter(tags=["data quality"], responses=problems(404, 422, 503))

_READ = [may(Permission.QUALITY_READ)]
_REVIEW = [may(Permission.QUALITY_REVIEW)]
_ANNOUNCE = [may(Permission.MAINTENANCE_ANNOUNCE)]


def quality_answers(session: SessionDep, tenant: TenantDep, clock: ClockDep) -> QualityAnswers:
    """Data quality of the tenant."""
    return QualityAnswers(session, tenant, now=clock.now())


QualityDep = Annotated[QualityAnswers, Depends(quality_answers)]
AnomalyPath = Annotated[int, Path(ge=1, le=2**31 - 1, description="Id of the anomaly")]


@router.get("/sites/{site}/quality", dependencies=_READ)
def show_quality(
    site: SitePath, question: Annotated[Question, Query()], answers: QualityDep
) -> QualityView:
    """Coverage of every camera, and the ledger of gaps with reasons.

    A gap is in the ledger when it is longer than what is usual for its camera: the threshold
    is learned from the pauses of the last two weeks.
    """
    return answers.quality(site, question)


@router.post("/sites/{site}/quality/scans", status_code=204, dependencies=_REVIEW)
def scan_quality(site: SitePath, answers: QualityDep) -> None:
    """Write the gap ledger and look for anomalies now; the coordinator does so by itself."""
    answers.scan(site)


@router.post("/sites/{site}/cameras/{camera}/maintenance", status_code=201, dependencies=_ANNOUNCE)
def add_maintenance(
    site: SitePath, camera: CameraPath, body: NewMaintenance, answers: QualityDep
) -> MaintenanceView:
    """Tell that somebody works at a camera; gaps in that time get the reason `maintenance`."""
    return answers.add_maintenance(site, camera, body)


@router.get("/anomalies", dependencies=_READ)
def list_anomalies(
    question: Annotated[AnomalyQuestion, Query()], answers: QualityDep
) -> AnomaliesView:
    """Swapped legs, level shifts and classes that vanished, newest first."""
    return answers.anomalies(question)


@router.get("/anomalies/{anomaly}", dependencies=_READ)
def show_anomaly(anomaly: AnomalyPath, answers: QualityDep) -> AnomalyView:
    """One anomaly with its notes."""
    return answers.anomaly(anomaly)


@router.post("/anomalies/{anomaly}/reviews", status_code=201, dependencies=_REVIEW)
def review_anomaly(anomaly: AnomalyPath, body: Review, answers: QualityDep) -> AnomalyView:
    """Confirm or dismiss an anomaly, or open it again."""
    return answers.review(anomaly, state=body.state, text=body.text)


@router.post("/anomalies/{anomaly}/notes", status_code=201, dependencies=_REVIEW)
def note_anomaly(anomaly: AnomalyPath, body: NewNote, answers: QualityDep) -> AnomalyView:
    """Write a note on an anomaly."""
    return answers.review(anomaly, state=None, text=body.text)
