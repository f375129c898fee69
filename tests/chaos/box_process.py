"""A process that is a box without cameras: the real store and services, made-up minutes.

``python -m tests.chaos.box_process FOLDER --seed S --pace M`` adds M minutes of bins a second
until ``FOLDER/enough`` appears, and goes on sending until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from common.errors import ItsError, UnreachableError
from common.logs import LogLevel, set_up_logs
from common.site import Camera, load_site
from common.timing import SystemClock
from edge.agent import Service
from edge.config import EdgeConfig, load_config
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import renew
from edge.enrol.identity import Identity
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.services import Box, HealthBoard, services
from tests.chaos.made_up_traffic import step
from tests.chaos.own_ledger import OwnLedger

_TICK_S = 0.25
_LEAST_BATCHES = 20
_NOT_AFTER = timedelta(minutes=3)

log = structlog.get_logger(__name__)


class Maker:
    """Adds batches of minutes to the store, each written down in the box's own ledger."""

    def __init__(
        self, folder: Path, store: BinStore, cameras: tuple[Camera, ...], *, seed: str, pace: float
    ) -> None:
        self._folder = folder
        self._store = store
        self._cameras = cameras
        self._seed = seed
        self._minutes = max(1, round(pace * _TICK_S))
        self._ledger = OwnLedger(folder / "ledger.jsonl")
        self._begin = datetime.fromisoformat((folder / "begin").read_text())

    def run(self, stop: threading.Event) -> None:
        """Make batches until told that it is enough."""
        while not stop.wait(_TICK_S) and (self._is_wanted() or not self._ledger.is_last_stored):
            try:
                if not self._add():
                    return
            except UnreachableError as error:
                log.warning("bins_not_written", error=str(error))
        if not stop.is_set():
            (self._folder / "made").touch()

    def _is_wanted(self) -> bool:
        is_enough = (self._folder / "enough").exists()
        return not is_enough or self._ledger.next_batch < _LEAST_BATCHES

    def _add(self) -> bool:
        batch = self._ledger.next_batch
        first = batch * self._minutes
        if self._begin + timedelta(minutes=first + self._minutes) > datetime.now(UTC) - _NOT_AFTER:
            log.warning("caught_up_with_now", batch=batch)
            return False
        bins = [
            each
            for number in range(first, first + self._minutes)
            for camera in self._cameras
            for each in step(self._seed, camera.id, self._begin, number)
        ]
        if self._ledger.is_last_stored:
            self._ledger.begin(batch, [each.to_dict() for each in bins])
        added = self._store.add(bins)
        self._ledger.stored(batch)
        if added < len(bins):
            log.info("batch_repeated", batch=batch, bins=len(bins), added=added)
        return True


class RenewalOnDemand:
    """Renews certificate and signing key whenever ``FOLDER/renew`` appears."""

    name = "renewal-on-demand"

    def __init__(self, folder: Path, config: EdgeConfig) -> None:
        self._wish = folder / "renew"
        self._identity_folder = config.identity_folder

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(0.5):
            if self._wish.exists():
                identity = Identity.load(self._identity_folder)
                client = CoordinatorClient(identity.about.coordinator_url)
                renew(client, identity, clock=SystemClock(), rotate_signing=True)
                self._wish.unlink()


def serve(service: Service, stop: threading.Event) -> None:
    """As the agent does: what ends a service is logged, and it begins again."""
    while not stop.is_set():
        try:
            service.run(stop)
        except ItsError as error:
            log.warning("service_failed", service=service.name, error=str(error), hint=error.hint)
            stop.wait(0.5)
        else:
            return


def tell_what_it_waits_for(*_: object) -> None:
    """Print every thread and every task; a box that says nothing more is asked with SIGUSR1."""
    faulthandler.dump_traceback(all_threads=True)
    for each in gc.get_objects():
        if isinstance(each, asyncio.Task) and not each.done():
            each.print_stack()


def main() -> None:
    arguments = _arguments()
    set_up_logs(level=LogLevel.INFO, as_json=True)
    folder: Path = arguments.folder
    config = load_config(folder / "edge.yaml")
    clock = SystemClock()
    cameras = config.cameras_of(load_site(config.site_file))
    limits = StoreLimits(max_days=400, max_bytes=2_000_000_000)
    store = BinStore(config.store_file, limits=limits, clock=clock)
    stop = threading.Event()
    box = Box(
        config=config,
        cameras=cameras,
        store=store,
        board=HealthBoard(lambda _cameras: None, clock=clock),
        clock=clock,
        model="made up",
        restart=lambda: None,
    )
    maker = Maker(folder, store, cameras, seed=arguments.seed, pace=arguments.pace)
    running: list[Callable[[], None]] = [
        lambda each=each: serve(each, stop)  # type: ignore[misc]
        for each in (*services(box), RenewalOnDemand(folder, config))
    ]
    threads = [threading.Thread(target=run) for run in (*running, lambda: maker.run(stop))]
    signal.signal(signal.SIGUSR1, tell_what_it_waits_for)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    log.info("box_stopped")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--pace", type=float, required=True, help="Minutes of bins a second.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
