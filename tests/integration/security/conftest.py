"""Both databases with an audit log, and a coordinator that writes one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.config import CoordinatorConfig
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.database import Database
from coordinator.schema import migrate
from coordinator.setting_up import set_up


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'its.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """With the tables of this version."""
    database = Database(database_url)
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def container(tmp_path: Path) -> Iterator[CoordinatorContainer]:
    """A coordinator on SQLite."""
    container = coordinator_container(CoordinatorConfig(data_folder=tmp_path / "data"))
    set_up(container)
    yield container
    container.database().close()
