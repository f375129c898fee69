"""Seeded cities, fleets and runs → the pages about them, with somebody signed in."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from fastapi import FastAPI

from common.messages import LearningState
from common.security import Role
from coordinator.config import FederationSettings
from coordinator.container import CoordinatorContainer
from coordinator.database import Database
from coordinator.federation.router import router as rounds_api
from tests.fakes.clocks import StandingClock
from tests.fakes.dashboard import dashboard_app
from tests.fakes.federated_fleet import synthetic_parent
from tests.fakes.ops_fleet import OpsFleet
from tests.fakes.ops_rounds import OpsRounds
from tests.fakes.traffic_city import TENANT

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
"""What somebody may write into any field; it must never become markup."""


def ops_app(
    database: Database,
    folder: Path,
    *,
    now: datetime,
    roles: Collection[Role] = (Role.ADMIN,),
) -> FastAPI:
    """Every page and the API of rounds, at ``now``; rounds can be launched."""
    folder.chmod(0o700)
    app = dashboard_app(
        database, StandingClock(now), tenant=TENANT, data_folder=folder, roles=roles
    )
    container = container_of(app)
    federation = FederationSettings(parent=synthetic_parent(folder / "parent"))
    settings = container.settings().model_copy(update={"federation": federation})
    container.settings.override(settings)
    container.training.reset()
    app.include_router(rounds_api, prefix="/api/v1")
    return app


def container_of(app: FastAPI) -> CoordinatorContainer:
    """What the application was made with."""
    container: CoordinatorContainer = app.state.container
    return container


def rounds_with_boxes(app: FastAPI, *, now: datetime) -> OpsRounds:
    """Three boxes that learn, and runs over them; the last has too few samples."""
    fleet = OpsFleet(container_of(app), now=now)
    boxes = tuple(fleet.enrol(site) for site in ("elm-and-main", "station-square", "harbour-road"))
    for device, samples in zip(boxes, (412, 88, 9), strict=True):
        learning = LearningState(samples=samples, technician_samples=4, is_ready=True)
        fleet.heard(device, learning=learning)
    return OpsRounds(container_of(app), boxes)
