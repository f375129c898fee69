"""Command line → the coordinator's processes, and what they need before they start."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from common.errors import ConfigError
from common.logs import LogLevel, set_up_logs
from coordinator import serving
from coordinator.app import create_app
from coordinator.config import DEFAULT_CONFIG, load_config
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.ingest.benchmark_commands import bench_ingest
from coordinator.parts import Parts
from coordinator.setting_up import alone, quieten_libraries, set_up
from coordinator.traffic.benchmark_commands import bench_queries

app = typer.Typer(
    help="Take reports in, keep them, and answer questions about traffic.", no_args_is_help=True
)

app.command()(bench_ingest)
app.command()(bench_queries)

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The coordinator's configuration (coordinator.yaml).")
]
Level = Annotated[
    LogLevel, typer.Option(help="Least important event to write.", envvar="ITS_LOG_LEVEL")
]


@app.command()
def init(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Make keys, certificate authority and tables where they are missing.

    `serve` does the same at its first start; `init` lets you look before anything listens.
    """
    container = coordinator_container(load_config(config))
    for line in set_up(container) or ["everything was there"]:
        typer.echo(line)
    container.database().close()


@app.command(name="check-config")
def check_config(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Read the configuration, and say what is wrong with it; nothing is made or contacted.

    The exit code is 0, or 3 with the key, the value and what was expected.
    """
    checked = load_config(config)
    typer.echo(f"data in {checked.data_folder}, broker {checked.broker.kind}")


@app.command()
def serve(config: ConfigFile = DEFAULT_CONFIG, log_level: Level = LogLevel.INFO) -> None:
    """Run everything in one process until stopped (Ctrl-C or SIGTERM).

    API, enrolment over HTTPS, ingest, roll-ups, federated rounds where they are configured and,
    unless the configuration names an external one, the broker.
    """
    container = _container(config, log_level)
    container.settings().data_folder.mkdir(mode=0o751, parents=True, exist_ok=True)
    with alone(container):
        _prepare(container)
        _run(container, serving.everything(container))


@app.command()
def api(config: ConfigFile = DEFAULT_CONFIG, log_level: Level = LogLevel.INFO) -> None:
    """Run the API and the enrolment of boxes alone; broker and ingest run elsewhere."""
    container = _container(config, log_level)
    _prepare(container)
    _run(container, serving.api_alone(container))


@app.command()
def ingest(
    config: ConfigFile = DEFAULT_CONFIG,
    worker: Annotated[int, typer.Option(help="Number of this worker, from 0.", min=0)] = 0,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Answer Prometheus at 127.0.0.1 on this port.", min=1, max=65535),
    ] = None,
    log_level: Level = LogLevel.INFO,
) -> None:
    """Run one ingest worker alone; with several, each has its own --worker number."""
    container = _container(config, log_level)
    workers = container.settings().ingest.workers
    if worker >= workers:
        raise ConfigError(
            f"worker {worker} of {workers}, expected 0 to {workers - 1}",
            hint="set ingest.workers in the configuration, the same for every worker",
        )
    _prepare(container)
    _run(
        container,
        serving.ingest_alone(container, index=worker, workers=workers, metrics_port=metrics_port),
    )


@app.command()
def mosquitto(
    state_folder: Annotated[
        Path, typer.Option(help="Where mosquitto keeps sessions; its user writes there.")
    ] = Path("/var/lib/mosquitto"),
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Write configuration, ACL and certificates of an external mosquitto to data_folder/broker.

    Then start it with: mosquitto -c FOLDER/mosquitto.conf
    """
    container = coordinator_container(load_config(config))
    _prepare(container)
    typer.echo(container.broker_files().write(state_folder=state_folder))
    container.database().close()


@app.command()
def openapi(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Print the OpenAPI document of the API."""
    container = coordinator_container(load_config(config))
    sys.stdout.write(json.dumps(create_app(container).openapi(), indent=1) + "\n")


def _container(config: Path, log_level: LogLevel) -> CoordinatorContainer:
    set_up_logs(level=log_level, as_json=not sys.stderr.isatty())
    quieten_libraries()
    return coordinator_container(load_config(config))


def _prepare(container: CoordinatorContainer) -> None:
    for line in set_up(container):
        typer.echo(line, err=True)


def _run(container: CoordinatorContainer, parts: Parts) -> None:
    _stop_on_signals(container.stop())
    try:
        parts.run(container.stop())
    finally:
        container.database().close()


def _stop_on_signals(stop: threading.Event) -> None:
    """Stop in order at the first signal; a second one ends the process at once."""

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        # Not from here: the interrupted thread may hold the event's own lock.
        threading.Thread(target=stop.set, name="stop-signal").start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
