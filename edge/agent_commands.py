"""``edge run`` and ``edge doctor`` → the agent on this box, and what is wrong with it."""

from __future__ import annotations

import fcntl
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import structlog
import typer

from common.errors import ConflictError, ItsError, UnreachableError
from common.logs import LogLevel, set_up_logs
from common.release_state import SlotName
from common.site import Camera, load_site
from edge.checks.doctor import Verdict, examine, exit_code
from edge.config import EdgeConfig, load_config
from edge.container import EdgeContainer, agent_container, edge_agent, open_store
from edge.keeping.store import BinStore
from edge.stopping import leave, stop_on_signals
from edge.update.releases import Releases

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The agent's configuration (edge.yaml).")
]
DEFAULT_CONFIG = Path("/etc/its/edge.yaml")

log = structlog.get_logger(__name__)


def run(
    config: ConfigFile = DEFAULT_CONFIG,
    log_level: Annotated[
        LogLevel, typer.Option(help="Least important event to write.", envvar="ITS_LOG_LEVEL")
    ] = LogLevel.INFO,
) -> None:
    """Count on every camera of this box until stopped (Ctrl-C or SIGTERM).

    Every minute of every camera becomes one row in bins.sqlite in the data folder, also
    the minutes in which nothing could be seen. health.json beside it says how it goes.
    """
    set_up_logs(level=log_level, as_json=not sys.stderr.isatty())
    settings = load_config(config)
    is_clean = run_agent(agent_container(settings), settings)
    leave(0 if is_clean else UnreachableError.exit_code)


def doctor(
    config: ConfigFile = DEFAULT_CONFIG,
    offline: Annotated[
        bool, typer.Option("--offline", help="Contact no camera, as while a box is set up.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check configuration, cameras, model, backend, clock and disk, and say what to do.

    The exit code is 0 when nothing fails (warnings included), else that of the first failing
    check: 3 for something written wrongly, 5 for something out of reach, 1 for the clock.
    """
    findings = list(examine(config, offline=offline))
    if as_json:
        content = [finding.to_dict() for finding in findings]
        sys.stdout.write(json.dumps({"checks": content}, indent=1, ensure_ascii=False) + "\n")
    else:
        for finding in findings:
            typer.echo(f"{finding.verdict:<4}  {finding.check}: {finding.message}")
            if finding.advice and finding.verdict is not Verdict.PASS:
                typer.echo(f"      → {finding.advice}")
    raise typer.Exit(exit_code(findings))


def run_agent(container: EdgeContainer, config: EdgeConfig) -> bool:
    """Run in the calling thread, which must be the main one, until SIGTERM or SIGINT.

    Returns:
        True when everything ended in time, so that every bin was stored.

    Raises:
        ConfigError: Configuration, site file, model or a secret is missing or wrong.
        ConflictError: Another agent uses the data folder.
        UnreachableError: The data folder cannot be used.
    """
    _cameras(container, config)
    with alone(config):
        store = open_store(container, config)
        try:
            is_clean = _run_on(container, config, store)
            if is_clean:
                container.shared_detector().close()
            return is_clean
        finally:
            store.close()


def _run_on(container: EdgeContainer, config: EdgeConfig, store: BinStore) -> bool:
    """One agent after the other: a new one whenever an order replaced site file or model."""
    stop, ended, replaced = container.stop(), threading.Event(), threading.Event()
    releases = container.releases()
    if releases is not None:
        releases.begin()

    def restart() -> None:
        replaced.set()
        stop.set()

    stop_on_signals(ended, stop)
    while True:
        replaced.clear()
        if releases is not None:
            _load_model(container, releases)
        agent = edge_agent(container, config, _cameras(container, config), store, restart=restart)
        is_clean = agent.run()
        del agent  # two networks at a time may be more than the board's memory holds
        if ended.is_set() or not replaced.is_set() or not is_clean:
            return is_clean
        stop.clear()
        if ended.is_set():  # a signal came between the two lines above
            return True


def _load_model(container: EdgeContainer, releases: Releases) -> None:
    """Have the model that is active now; one that cannot be loaded is left for the former.

    Raises:
        ConfigError: The model that came with the box cannot be used.
        UnreachableError: The disk is full or failing.
    """
    while True:
        active = releases.book.record.active
        if container.chosen().slot is not active:
            _forget_model(container)
        try:
            if container.chosen().slot is active:
                container.engine()
                return
        except ItsError as error:
            if active is SlotName.FACTORY:
                raise
            log.error("release_not_loaded", slot=active.value, error=str(error))  # noqa: TRY400
        releases.failed(active)


def _forget_model(container: EdgeContainer) -> None:
    """Let the next model be built; whoever counted with the old one has ended."""
    for provider in (
        container.chosen,
        container.backend,
        container.lanes,
        container.engine,
        container.shared_detector,
    ):
        provider.reset()


def _cameras(container: EdgeContainer, config: EdgeConfig) -> tuple[Camera, ...]:
    cameras = config.cameras_of(load_site(config.site_file))
    for camera in cameras:
        container.passwords().filled(camera.source)
    return cameras


@contextmanager
def alone(config: EdgeConfig) -> Iterator[None]:
    """Hold the data folder; the lock goes with the process, however that ends."""
    try:
        config.data_folder.mkdir(parents=True, exist_ok=True)
        lock = config.lock_file.open("a")
    except OSError as error:
        raise UnreachableError(
            f"data folder {config.data_folder} cannot be written: {error.strerror}",
            hint="give it to the user that the agent runs as",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"data folder {config.data_folder} is used by another agent",
                hint="stop that one first, or name another data_folder",
            ) from error
        yield
