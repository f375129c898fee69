"""A ``simulate:`` source of a site file → the scene, beginning now."""

from __future__ import annotations

from common.timing import Clock
from edge.capture.frames import FrameSource
from edge.simulate.source import SimulatedSource
from edge.simulate.source_uri import parse_source


def open_simulated(
    source: str,
    *,
    camera_id: str,
    clock: Clock,
    working_size: tuple[int, int] | None,  # noqa: ARG001 - a scene is drawn at its own size
) -> FrameSource:
    """A simulated scene that begins now."""
    return SimulatedSource(parse_source(source), camera_id=camera_id, started_at=clock.now())
