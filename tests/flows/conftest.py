"""A counting process whose detector sees what the simulation drew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dependency_injector import providers

from common.site import Camera
from edge.container import EdgeContainer, edge_container
from edge.counting.count import camera_for
from edge.simulate.source_uri import parse_source
from tests.fakes.simulated_engine import SimulatedEngine

Seeing = Callable[[str], tuple[EdgeContainer, Camera]]


@pytest.fixture
def seeing() -> Seeing:
    """Container and camera for a simulated source, with a perfect detector."""

    def build(source: str) -> tuple[EdgeContainer, Camera]:
        camera = camera_for(source, site=None, camera_id=None, truth=None)
        container = edge_container()
        engine = SimulatedEngine({camera.id: parse_source(source)})
        container.engine.override(providers.Object(engine))
        return container, camera

    return build
