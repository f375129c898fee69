"""A coordinator whose clock tests move, on either database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dependency_injector import providers
from pwdlib.hashers.argon2 import Argon2Hasher

from common.private_files import make_private_folder
from coordinator.config import CoordinatorConfig
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.database import Database
from coordinator.fleet.store import FleetStore
from coordinator.schema import migrate
from coordinator.security.passwords import Passwords
from coordinator.setting_up import set_up
from tests.fakes.clocks import StandingClock


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(datetime(2026, 3, 14, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with keys and tables, to be copied: making one takes longer than a test."""
    folder = tmp_path_factory.mktemp("people") / "data"
    container = coordinator_container(CoordinatorConfig(data_folder=folder))
    set_up(container)
    container.database().close()
    return folder


@pytest.fixture
def container(
    tmp_path: Path, clock: StandingClock, prepared: Path
) -> Iterator[CoordinatorContainer]:
    """On SQLite."""
    folder = tmp_path / "data"
    shutil.copytree(prepared, folder)
    yield from _made(CoordinatorConfig(data_folder=folder), clock)


@pytest.fixture
def either(
    tmp_path: Path, clock: StandingClock, database_url: str
) -> Iterator[CoordinatorContainer]:
    """On SQLite, and again on PostgreSQL."""
    database = Database(database_url)
    migrate(database)
    database.close()
    folder = tmp_path / "data"
    make_private_folder(folder / "keys")
    settings = CoordinatorConfig(data_folder=folder, database=database_url)
    yield from _made(settings, clock)


def _made(settings: CoordinatorConfig, clock: StandingClock) -> Iterator[CoordinatorContainer]:
    container = coordinator_container(settings)
    container.clock.override(providers.Object(clock))
    # The same algorithm, a thousandth of the work; one test measures the real thing.
    quick = Passwords(Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1))
    container.people.passwords.override(providers.Object(quick))
    with container.database().session() as session:
        tenant = settings.tenant
        FleetStore(session, tenant.id).ensure_tenant(tenant.name, now=clock.now())
    yield container
    container.database().close()
