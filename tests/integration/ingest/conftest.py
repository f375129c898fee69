"""Both databases with the tables of this version, for tests of the intake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.database import Database
from coordinator.schema import migrate


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Either kind, with every table and nothing in them."""
    url = (
        f"sqlite:///{tmp_path / 'its.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    made = Database(url)
    migrate(made)
    yield made
    made.close()
