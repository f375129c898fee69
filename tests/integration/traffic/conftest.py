"""The junction on both databases, and a client of its API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import psycopg
import pytest

from coordinator.database import Database
from coordinator.partitions_store import make_room_for
from coordinator.schema import migrate
from tests.fakes.clocks import StandingClock
from tests.fakes.postgres_server import PostgresServer
from tests.fakes.traffic_api import AsgiClient
from tests.fakes.traffic_city import TrafficCity, traffic_app

NUMBERS = count(1)


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables of this version, to be copied."""
    path = tmp_path_factory.mktemp("traffic") / "empty.db"
    prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def template_database(postgres_server: PostgresServer) -> str:
    """Name of a database with the tables of this version, to be copied."""
    url = postgres_server.create_database()
    prepare(url)
    return url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "its.db")
        url = f"sqlite:///{path}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        template = request.getfixturevalue("template_database")
        name = f"traffic_{next(NUMBERS)}"
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        url = server.url(name)
    database = Database(url)
    yield database
    database.close()


def prepare(url: str) -> None:
    database = Database(url)
    migrate(database)
    make_room_for(
        database,
        first=datetime(2026, 1, 1, tzinfo=UTC),
        last=datetime(2026, 6, 1, tzinfo=UTC),
    )
    database.close()


@pytest.fixture
def city(database: Database) -> TrafficCity:
    return TrafficCity(database)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(datetime(2026, 6, 1, tzinfo=UTC))


@pytest.fixture
def api(city: TrafficCity, clock: StandingClock) -> AsgiClient:
    return AsgiClient(traffic_app(city.database, clock))
