"""A running coordinator → boxes with the product's own sender, and made-up minutes to send."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from common.errors import ItsError
from common.geometry import Direction
from common.road_users import ROAD_USERS, RoadUser
from common.site import load_site
from common.timing import SystemClock
from coordinator.broker.brief_client import BrokerLogin
from coordinator.container import CoordinatorContainer
from edge.agent import Service
from edge.config import load_config
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import enrol, renew
from edge.enrol.identity import Identity
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.measure.bins import MinuteBin, SectionBin
from edge.services import Box, HealthBoard, services
from tests.fakes.sending_box import minute_bin

_PAUSE_S = 0.25
_HISTORY = timedelta(days=3)
_STOP_S = 40.0


class SteadyBox:
    """One enrolled box that adds a minute every quarter of a second and sends them all."""

    def __init__(self, folder: Path, identity: Identity, *, site: str) -> None:
        self.site = site
        self.told: dict[datetime, int] = {}
        self.errors: list[ItsError] = []
        self._folder = folder
        self._identity_folder = identity.folder
        self.device = identity.device
        self._chance = random.Random(site)  # noqa: S311 - invented traffic
        self._is_enough = threading.Event()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._config = load_config(folder / "edge.yaml")
        limits = StoreLimits(max_days=400, max_bytes=100_000_000)
        self._store = BinStore(self._config.store_file, limits=limits, clock=SystemClock())

    @property
    def identity(self) -> Identity:
        """As it is on the disk now."""
        return Identity.load(self._identity_folder)

    def login(self) -> BrokerLogin:
        """Signs in to the broker as this box does."""
        broker = self.identity.about.broker
        return BrokerLogin(
            host=broker.host,
            port=broker.port,
            protocol=broker.protocol,
            client_id=self.device,
            trust_file=self._identity_folder / "trust.pem",
            certificate_file=self._identity_folder / "tls.pem",
            key_file=self._identity_folder / "tls.key",
        )

    def start(self) -> None:
        """Measure and send."""
        clock = SystemClock()
        box = Box(
            config=self._config,
            cameras=self._config.cameras_of(load_site(self._config.site_file)),
            store=self._store,
            board=HealthBoard(lambda _cameras: None, clock=clock),
            clock=clock,
            model="made up",
            restart=lambda: None,
        )
        runs: list[Callable[[], None]] = [self._measure]
        runs += [lambda each=each: self._serve(each) for each in services(box)]  # type: ignore[misc]
        self._threads = [threading.Thread(target=run, name=self.device) for run in runs]
        for thread in self._threads:
            thread.start()

    def renew(self) -> None:
        """New certificate and new signing key, from the coordinator's renewal address."""
        identity = self.identity
        client = CoordinatorClient(identity.about.coordinator_url)
        renew(client, identity, clock=SystemClock(), rotate_signing=True)

    def measure_no_more(self) -> None:
        """Send what there is."""
        self._is_enough.set()

    def has_told_everything(self) -> bool:
        """True when every stored minute was taken over and acknowledged."""
        last = max((row.row_id for row in self._store.bins()), default=0)
        waiting = self._ask("SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM report)")
        return (
            waiting == 0
            and self._ask("SELECT CAST(value AS INTEGER) FROM fact WHERE name = 'cursor'") == last
        )

    def stop(self) -> None:
        """End all threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_STOP_S)
        assert not any(thread.is_alive() for thread in self._threads), f"{self.device} hangs"
        self._store.close()

    def _measure(self) -> None:
        minute = (datetime.now(UTC) - _HISTORY).replace(second=0, microsecond=0)
        while not self._is_enough.is_set() and not self._stop.wait(_PAUSE_S):
            minute += timedelta(minutes=1)
            cars = self._chance.randrange(1, 20)
            self._store.add([_minute(minute, cars)])
            self.told[minute] = cars

    def _serve(self, service: Service) -> None:
        """As the agent does: what ends a service is noted, and it begins again."""
        while not self._stop.is_set():
            try:
                service.run(self._stop)
            except ItsError as error:
                self.errors.append(error)
                self._stop.wait(0.5)

    def _ask(self, query: str) -> int:
        with closing(sqlite3.connect(self._config.outbox_file, timeout=10)) as database:
            return int(database.execute(query).fetchone()[0])


def _minute(start: datetime, cars: int) -> MinuteBin:
    counts = tuple(cars if each is RoadUser.CAR else 0 for each in ROAD_USERS)
    crossed = SectionBin(section="mid", direction=Direction.LEFT, counts=counts)
    return replace(minute_bin(start), sections=(crossed,))


@contextmanager
def steady_boxes(
    container: CoordinatorContainer, folder: Path, *, boxes: int
) -> Iterator[list[SteadyBox]]:
    """Enrol boxes over HTTPS by tokens, start them, and stop them in the end."""
    running: list[SteadyBox] = []
    try:
        for number in range(boxes):
            running.append(_enrolled(container, folder / f"box-{number}", f"site-{number}"))
        for box in running:
            box.start()
        yield running
    finally:
        for box in running:
            box.measure_no_more()
            box.stop()


def _enrolled(container: CoordinatorContainer, folder: Path, site: str) -> SteadyBox:
    folder.mkdir(parents=True)
    line = {"name": "mid", "line": [[10, 10], [90, 90]]}
    camera = {
        "id": "north",
        "source": "simulate:road",
        "frame_size": [100, 100],
        "sections": [line],
    }
    agent = {
        "site_file": "site.yaml",
        "data_folder": "data",
        "coordinator": {"clock_is_right": True, "resend_after_s": 2},
    }
    (folder / "site.yaml").write_text(yaml.safe_dump({"site": site, "cameras": [camera]}))
    (folder / "edge.yaml").write_text(yaml.safe_dump(agent))
    token = container.tokens().create(site, hours=1).token
    client = CoordinatorClient(container.settings().devices.url)
    data = folder / "data"
    data.mkdir(mode=0o700)
    identity = enrol(client, token, data / "identity", clock=SystemClock())
    return SteadyBox(folder, identity, site=site)
