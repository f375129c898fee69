"""A coordinator over real HTTPS, and a box that can enrol with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.timing import SystemClock
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import enrol
from edge.enrol.identity import Identity
from tests.fakes.enrolment_coordinator import EnrolmentCoordinator, enrolment_coordinator


@pytest.fixture
def coordinator() -> Iterator[EnrolmentCoordinator]:
    with enrolment_coordinator() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "identity"


@pytest.fixture
def identity(coordinator: EnrolmentCoordinator, folder: Path) -> Identity:
    """A box that is enrolled."""
    return enrol(CoordinatorClient(coordinator.url), coordinator.token, folder, clock=SystemClock())
