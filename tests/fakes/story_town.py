"""A folder → a coordinator that really serves, with weeks behind it, boxes and people.

Site ``elm-and-main`` has six weeks of counts, of which the newest hours of one leg are halved;
four boxes that could train say what a story wants of their models.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from sqlmodel import col, select

from common.free_ports import free_ports
from common.messages import HealthReport, LearningState
from common.release_state import ReleaseState, SlotName, Step
from common.wire import ClockState
from coordinator.config import CoordinatorConfig
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.data_folder import make_data_folder
from coordinator.demo_processes import running, wait_until_ready
from coordinator.fleet.tables import DeviceRow, HealthRow
from coordinator.schema import migrate
from coordinator.setting_up import set_up
from tests.conftest import REPOSITORY
from tests.fakes.bench_process import PLACE
from tests.fakes.enrolled_box import Box
from tests.fakes.federated_fleet import learning_key, synthetic_parent
from tests.fakes.model_city import FACTORY
from tests.fakes.ops_city import OpsCity
from tests.fakes.people import Person
from tests.fakes.story_people import everybody
from tests.fakes.traffic_city import TENANT, TrafficCity

BENCH = ("tests.fakes.story_bench",)
TURNS = {"N-S": ("car", 30), "S-N": ("car", 21), "N-N": ("bus", 1)}
_ZONE = ZoneInfo("Europe/Vienna")


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """What runs, and the same coordinator's objects in this process."""

    folder: Path
    config_file: Path
    url: str
    devices_port: int
    container: CoordinatorContainer
    people: dict[str, Person]
    boxes: tuple[str, ...]

    def obey(self) -> bool:
        """The boxes take the release that they were told; True when one had anything to take."""
        told = False
        for device in self.boxes:
            wish = self.container.twins().show(device).release
            told = told or wish is not None
            version = wish.version if wish else FACTORY
            say(self.container, device, version)
        return told


@contextmanager
def serving_town(folder: Path) -> Iterator[Town]:
    """Seed, then start ``its-camera-ai coordinator serve``."""
    broker, api, devices, link, hub = free_ports(5)
    config = folder / "coordinator.yaml"
    data = folder / "coordinator"
    parent = synthetic_parent(folder / "parent")
    content = {
        "data_folder": str(data),
        "tenant": {"id": TENANT, "name": "Springfield"},
        "broker": {"port": broker},
        "api": {"port": api},
        "devices": {"port": devices},
        "federation": {
            "port": link,
            "hub_port": hub,
            "parent": parent.model_dump(mode="json"),
            "bench_command": [sys.executable, "-m", *BENCH],
        },
    }
    config.write_text(yaml.safe_dump(content))
    container = coordinator_container(CoordinatorConfig.model_validate(content))
    make_data_folder(data)
    seed(container)
    boxes = tuple(enrol(container, site) for site in ("elm-and-main", "station-square") * 2)
    people = everybody(container)
    learn = folder / "learn"
    learn.mkdir()
    log = folder / "coordinator.log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLACE, str(learn))
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        with running(log, "coordinator", "serve", "--config", str(config)) as process:
            url = f"http://127.0.0.1:{api}"
            wait_until_ready(f"{url}/health/ready", process, log_file=log)
            yield Town(
                folder=folder, config_file=config, url=url, devices_port=devices,
                container=container, people=people, boxes=boxes,
            )  # fmt: skip
    container.database().close()


def seed(container: CoordinatorContainer) -> None:
    """Weeks of hours, yesterday's movements, and whatever a coordinator makes at its start."""
    database = container.database()
    migrate(database)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    city = OpsCity(database, now=now)
    city.weeks(halved_from=now - timedelta(hours=10))
    turn_yesterday(city.city)
    set_up(container)


def yesterday() -> datetime:
    """Midnight with which the site's yesterday begins."""
    here = datetime.now(_ZONE) - timedelta(days=1)
    return here.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def turn_yesterday(city: TrafficCity) -> None:
    """Movements of yesterday from six to twenty-one, and their sums of hours and of the day."""
    places = range(24, 84)
    for n in places:
        start = yesterday() + n * timedelta(minutes=15)
        city.watch(start)
        for flow, (road_user, _) in TURNS.items():
            city.count(flow, start, {road_user: turned(flow, [n])})
    city.watch(yesterday(), width_s=86_400, seconds=900.0 * len(places))
    for flow, (road_user, _) in TURNS.items():
        for n in range(6, 21):
            hour = yesterday() + n * timedelta(hours=1)
            counts = {road_user: turned(flow, range(4 * n, 4 * n + 4))}
            city.count(flow, hour, counts, width_s=3600)
        city.count(flow, yesterday(), {road_user: turned(flow, places)}, width_s=86_400)


def turned(flow: str, places: Iterable[int]) -> int:
    """Vehicles of a movement in these quarter hours of yesterday."""
    return sum(TURNS[flow][1] + n % 7 for n in places)


def enrol(container: CoordinatorContainer, site: str) -> str:
    """A box that could train, and counts with what it was built with."""
    secret = container.tokens().create(site, hours=24).token.secret
    request = Box.new().request(secret).model_copy(update={"learning_key": learning_key()})
    device: str = container.enrolment().enrol(request).device
    say(container, device, FACTORY)
    return device


def say(container: CoordinatorContainer, device: str, version: str) -> None:
    """The box's newest report."""
    now = container.clock().now()
    is_factory = version == FACTORY
    release = ReleaseState(
        active_version=version,
        active_sha256="ab" * 32,
        slot=SlotName.FACTORY if is_factory else SlotName.A,
        wanted_version=None if is_factory else version,
        step=Step.IDLE if is_factory else Step.CONFIRMED,
        since=now,
    )
    report = HealthReport(
        at=now,
        software="0.1.0",
        model=version,
        clock=ClockState.TRUSTED,
        uptime_s=60,
        outbox_reports=0,
        outbox_bytes=0,
        disk_free_bytes=10**10,
        learning=LearningState(samples=40, technician_samples=4, is_ready=True),
        release=release,
    )
    with container.database().session() as session:
        session.merge(
            HealthRow(
                device_id=device, tenant_id=TENANT, at=now,
                content=report.model_dump(mode="json"),
            )
        )  # fmt: skip
        box = session.exec(select(DeviceRow).where(col(DeviceRow.id) == device)).one()
        box.last_seen_at = now
        session.add(box)
