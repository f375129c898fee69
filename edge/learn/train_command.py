"""``edge learn train`` → this box takes part in federated rounds while nothing is counted."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated

import typer

from common.errors import ConfigError
from common.logs import LogLevel, set_up_logs
from common.timing import SystemClock
from edge.agent_commands import alone
from edge.config import load_config
from edge.container import agent_container
from edge.learn.learning import learning
from edge.stopping import leave, stop_on_signals


def train(
    config: Annotated[
        Path, typer.Option("--config", help="The agent's configuration (edge.yaml).")
    ] = Path("/etc/its/edge.yaml"),
    log_level: Annotated[
        LogLevel, typer.Option(help="Least important event to write.", envvar="ITS_LOG_LEVEL")
    ] = LogLevel.INFO,
) -> None:
    """Label what is kept and train with others until stopped; `edge run` does both and counts."""
    set_up_logs(level=log_level, as_json=not sys.stderr.isatty())
    box = load_config(config)
    if box.learn is None or not box.learn.trains or box.coordinator is None:
        raise ConfigError(
            f"{config} lets this box train with nobody, expected learn and coordinator sections",
            hint="add learn: {} and coordinator: {} to the configuration",
        )
    container, stop = agent_container(box), threading.Event()
    stop_on_signals(stop)
    with alone(box):
        services = learning(box, clock=SystemClock(), model=container.model).services
        with ThreadPoolExecutor(max_workers=len(services)) as pool:
            for ended in as_completed(pool.submit(service.run, stop) for service in services):
                # One that ends, ends all: whoever started us sees why.
                stop.set()
                ended.result()
    leave(0)
