"""A coordinator on a throw-away folder and SQLite, with offline keys beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator.config import CoordinatorConfig
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.setting_up import set_up
from tests.fakes.clocks import SkippingClock
from tests.fakes.model_city import ModelCity


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock(datetime.now(UTC))


@pytest.fixture
def container(tmp_path: Path, clock: SkippingClock) -> Iterator[CoordinatorContainer]:
    container = coordinator_container(CoordinatorConfig(data_folder=tmp_path / "data"))
    container.clock.override(clock)
    set_up(container)
    yield container
    container.database().close()


@pytest.fixture
def city(container: CoordinatorContainer, tmp_path: Path) -> ModelCity:
    return ModelCity(container, tmp_path)
