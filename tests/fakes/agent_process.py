"""The agent as a process of its own, with true boxes for detections and a clock ahead of time.

``python -m tests.fakes.agent_process EDGE_YAML [AHEAD_S]``; without AHEAD_S the clock is set to
ten seconds before a full minute. It prints AHEAD_S, so that the next process can go on.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from common.cli import run
from common.site import load_site
from edge.agent_commands import run_agent
from edge.config import load_config
from edge.container import agent_container
from edge.simulate.source_uri import parse_source
from tests.fakes.clocks import SkippingClock
from tests.fakes.simulated_engine import SimulatedEngine


def main(config_file: str, ahead_s: Annotated[str, typer.Argument()] = "") -> None:
    config = load_config(Path(config_file))
    container = agent_container(config)
    cameras = load_site(config.site_file).cameras
    container.engine.override(
        SimulatedEngine({camera.id: parse_source(camera.source) for camera in cameras})
    )
    now = datetime.now(UTC)
    ahead = timedelta(seconds=float(ahead_s or (50 - now.second - now.microsecond / 1e6) % 60))
    container.clock.override(SkippingClock(now + ahead))
    sys.stdout.write(f"{ahead.total_seconds()}\n")
    sys.stdout.flush()
    sys.exit(0 if run_agent(container, config) else 1)


if __name__ == "__main__":
    app = typer.Typer()
    app.command()(main)
    run(app)
