"""The junction of known numbers, and somebody who looks at its pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI

from common.security import Role
from coordinator.database import Database
from coordinator.schema import migrate
from tests.fakes.clocks import StandingClock
from tests.fakes.dashboard import PageClient, dashboard_app
from tests.fakes.traffic_city import TENANT, TrafficCity

# A Monday, 12:07 in Vienna.
NOW = datetime(2026, 3, 2, 11, 7, tzinfo=UTC)

AppOf = Callable[[Collection[Role] | None], FastAPI]


@pytest.fixture(scope="session")
def empty_dashboard_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables of this version, to be copied."""
    path = tmp_path_factory.mktemp("dashboard") / "empty.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture
def database(empty_dashboard_file: Path, tmp_path: Path) -> Iterator[Database]:
    path = shutil.copy(empty_dashboard_file, tmp_path / "its.db")
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def city(database: Database) -> TrafficCity:
    return TrafficCity(database)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(NOW)


@pytest.fixture
def app_of(database: Database, clock: StandingClock, tmp_path: Path) -> AppOf:
    """The application where somebody with these roles asks; nobody for None."""

    def build(roles: Collection[Role] | None) -> FastAPI:
        return dashboard_app(
            database, clock, tenant=TENANT, data_folder=tmp_path / "data", roles=roles
        )

    return build


@pytest.fixture
def pages(city: TrafficCity, app_of: AppOf) -> PageClient:
    """Pages with the junction, for an administrator."""
    return PageClient(app_of((Role.ADMIN,)))
