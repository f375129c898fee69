"""The agent as a process, with true boxes for detections and plates that take a few seconds.

``python -m tests.fakes.drawing_agent EDGE_YAML``. The painter looks with a detector that finds
one corner of the picture, whoever drives there: the simulated engine knows no still pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import typer
from dependency_injector import providers
from numpy.typing import NDArray

from common.cli import run
from common.site import Camera, load_site
from common.timing import Clock
from edge.agent_commands import run_agent
from edge.anonymise.plate_pictures import PlatePainter
from edge.anonymise.plates import PlateSettings, PlateTaker
from edge.config import EdgeConfig, load_config
from edge.container import agent_container
from edge.simulate.source_uri import parse_source
from tests.fakes.clocks import SkippingClock
from tests.fakes.fixed_detector import FixedDetector
from tests.fakes.simulated_engine import SimulatedEngine

CORNER = (0.0, 0.0, 0.1, 0.1)
QUICK = PlateSettings(frames=5, every_s=0.5)


class NoFaces:
    """Looks and finds nobody."""

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        del image
        return np.zeros((0, 4))


def main(config_file: str) -> None:
    config = load_config(Path(config_file))
    container = agent_container(config)
    cameras = load_site(config.site_file).cameras
    container.engine.override(
        SimulatedEngine({camera.id: parse_source(camera.source) for camera in cameras})
    )
    now = datetime.now(UTC)
    ahead_s = (50 - now.second - now.microsecond / 1e6) % 60
    clock = SkippingClock(now + timedelta(seconds=ahead_s))
    container.clock.override(clock)

    def plates(_config: EdgeConfig, running: Sequence[Camera]) -> PlateTaker:
        return taker(running, clock)

    container.plates.override(providers.Factory(plates))
    sys.exit(0 if run_agent(container, config) else 1)


def taker(cameras: Sequence[Camera], clock: Clock) -> PlateTaker:
    return PlateTaker(
        [camera.id for camera in cameras],
        open_painter=lambda: PlatePainter(FixedDetector(CORNER), faces=NoFaces()),
        clock=clock,
        settings=QUICK,
    )


if __name__ == "__main__":
    app = typer.Typer()
    app.command()(main)
    run(app)
