"""A container → the rounds of one coordinator: Flower's processes, and who drives the runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from common.errors import ConfigError, ItsError, UnreachableError
from coordinator.config import CoordinatorConfig, FederationSettings
from coordinator.container import CoordinatorContainer
from coordinator.federation.bench import Bench, CommandBench
from coordinator.federation.driving import DriverParts, RunDriver
from coordinator.federation.figures_store import RoundFigures
from coordinator.federation.flower_bench import FlowerBench
from coordinator.federation.flower_control import Asker, FlowerControl, asker
from coordinator.federation.nodes import NodeRegistry
from coordinator.federation.run_folder import RunFolders
from coordinator.federation.superlink import SUPEREXEC, FlowerPart, FlowerPlace
from coordinator.federation.supervision import Supervised, Supervision
from coordinator.metrics import Metrics
from coordinator.parts import Loop

log = structlog.get_logger(__name__)

_LOOK_S = 1.0


class RoundsPart:
    """Drives the runs; at the end benches rest, and the runs go on at the next start."""

    def __init__(self, driver: RunDriver, metrics: Metrics) -> None:
        self._driver = driver
        self._loop = Loop("rounds", driver.step, every_s=_LOOK_S, metrics=metrics)

    @property
    def is_alive(self) -> bool:
        """True while runs are driven."""
        return self._loop.is_alive

    def start(self) -> None:
        """Begin with what is under way."""
        self._loop.start()

    def stop(self) -> None:
        """Let the look end, then the benches; safe to call twice."""
        self._loop.stop()
        try:
            self._driver.rest()
        except ItsError as error:
            log.warning("benches_left", reason=str(error), hint=error.hint)


def add_rounds(container: CoordinatorContainer) -> None:
    """Add the parts of the configuration's federation section; none where it is absent.

    Raises:
        ConfigError: Neither a release key nor a command of its own.
    """
    settings = container.settings()
    federation = settings.federation
    if federation is None:
        return
    parts = container.parts()
    if federation.bench_command:
        bench: Bench = CommandBench(federation.bench_command)
        driver = _driver(container, federation, bench, nodes=dict)
    else:
        if federation.release_key is None:
            raise ConfigError(
                "federation.release_key is missing, expected the public key of the fleet's "
                "releases: boxes refuse training bundles without its signature",
                hint="its-camera-ai ml bundle sign prints it; put it into the configuration",
            )
        flower, driver = _flower(container, settings, federation)
        parts.add("flower", flower, condition=flower.condition)
    parts.add("rounds", RoundsPart(driver, container.metrics()))
    container.metrics().add_rounds(_figures(container))


def _flower(
    container: CoordinatorContainer, settings: CoordinatorConfig, federation: FederationSettings
) -> tuple[FlowerPart, RunDriver]:
    clock = container.clock()
    place = FlowerPlace(settings, federation, container.certificates())
    control = FlowerControl(_asks(place))
    registry = NodeRegistry(
        container.database(),
        control,
        folder=place.folder / "nodes",
        tenant=settings.tenant.id,
        clock=clock,
    )
    orders = (place.hub_order, place.link_order, place.exec_order)
    flower = FlowerPart(
        Supervision([Supervised(order, clock) for order in orders]),
        registry,
        answers=place.answers,
        is_idle=lambda: not container.training().is_busy(),
    )
    bench = FlowerBench(control, clock=clock, log_file=place.folder / f"{SUPEREXEC}.log")
    return flower, _driver(container, federation, bench, nodes=registry.nodes)


def _asks(place: FlowerPlace) -> Asker:
    """Asks with an environment that is made at the first question."""
    lock = threading.Lock()

    def ask(command: Sequence[str]) -> Mapping[str, Any]:
        # Cheaper than a command that finds it out after two seconds of starting.
        if not place.answers():
            raise UnreachableError(
                "superlink does not answer", hint=f"look at superlink.log in {place.folder}"
            )
        # One at a time: each is an interpreter of 150 MB.
        with lock:
            return asker(place.operator_environment(), folder=place.folder)(command)

    return ask


def _driver(
    container: CoordinatorContainer,
    federation: FederationSettings,
    bench: Bench,
    *,
    nodes: Callable[[], Mapping[str, str]],
) -> RunDriver:
    settings = container.settings()
    return RunDriver(
        DriverParts(
            database=container.database(),
            folders=RunFolders(settings.federation_folder / "runs"),
            bench=bench,
            clock=container.clock(),
            tenant=settings.tenant.id,
            nodes=nodes,
            most_restarts=federation.most_restarts,
        )
    )


def _figures(container: CoordinatorContainer) -> Callable[[], RoundFigures | None]:
    def read() -> RoundFigures | None:
        try:
            figures: RoundFigures = container.training().figures()
        except UnreachableError:
            return None  # the readiness of this process says so already
        return figures

    return read
