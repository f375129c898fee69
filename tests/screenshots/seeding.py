"""A folder → a coordinator with a city, boxes, runs, models, alerts and people to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from fastapi import FastAPI

from common.messages import LearningState
from common.release_state import GateFigures, Step
from coordinator.app import create_app
from coordinator.config import CoordinatorConfig, FederationSettings, TenantSettings
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.data_folder import make_data_folder
from coordinator.database import Database
from coordinator.registry.keeping import keep_releases
from coordinator.registry.stages import DeploymentStage
from coordinator.rollouts.views import LimitsView, RolloutWish
from coordinator.schema import migrate
from coordinator.security.actors import Actor, ActorKind, acting_as
from coordinator.security.threats.alert_book import AlertState
from coordinator.security.threats.alerts_store import AlertStore
from coordinator.security.threats.findings import Finding, Severity, ThreatKind
from coordinator.setting_up import set_up
from coordinator.traffic.anomaly_store import AnomalyKind, AnomalyStore, ReviewState
from coordinator.traffic.anomaly_store import Finding as Oddity
from coordinator.traffic.gap_store import GapScan, GapStore
from coordinator.traffic.gaps import Gap, Reason
from coordinator.traffic.periods import Period
from tests.fakes.clocks import StandingClock
from tests.fakes.federated_fleet import synthetic_parent
from tests.fakes.model_city import FACTORY, ModelCity
from tests.fakes.ops_fleet import OpsFleet
from tests.fakes.ops_rounds import OpsRounds
from tests.fakes.people import Person
from tests.fakes.sealed_candidate import sealed_candidate
from tests.fakes.shown_city import JUNCTIONS, TENANT, ShownCity
from tests.fakes.story_people import everybody

_THURSDAY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What there is to look at; the names are parts of addresses."""

    app: FastAPI
    container: CoordinatorContainer
    people: dict[str, Person]
    box: str
    rollout: str
    version: str


@contextmanager
def shown_coordinator(folder: Path) -> Iterator[Shown]:
    """Everything that pages tell of, on a Thursday in the afternoon."""
    now = last_thursday()
    container = _container(folder, now)
    database = container.database()
    migrate(database)
    city = ShownCity(database, now=now)
    city.build()
    set_up(container)
    with acting_as(_person("adele")):
        people = everybody(container)
    fleet = OpsFleet(container, now=now)
    with acting_as(_person("tom")):
        boxes = fleet.everything()
        container.tokens().create("harbour-road", hours=24)  # waits for its box
        well = [_well(fleet, junction.slug) for junction in JUNCTIONS if not junction.is_blind]
    _doubts(database, city, now)
    with acting_as(_person("mila")):
        runs = OpsRounds(container, tuple(well[:3]))
        runs.everything()
        rollout, version = _models(container, fleet, folder, well)
    _alerts(container, boxes["troubled"], now)
    yield Shown(
        app=create_app(container), container=container, people=people, box=boxes["troubled"],
        rollout=rollout, version=version,
    )  # fmt: skip
    database.close()


def last_thursday() -> datetime:
    """Twenty past five in Vienna, at most a week ago."""
    today = datetime.now(UTC).date()
    day = today - timedelta(days=(today.weekday() - _THURSDAY - 1) % 7 + 1)
    return datetime.combine(day, time(15, 20), tzinfo=UTC)


def _person(name: str) -> Actor:
    return Actor(kind=ActorKind.PERSON, name=name)


def _container(folder: Path, now: datetime) -> CoordinatorContainer:
    settings = CoordinatorConfig(
        data_folder=folder / "data",
        tenant=TenantSettings(id=TENANT, name="Springfield"),
        federation=FederationSettings(parent=synthetic_parent(folder / "parent")),
    )
    make_data_folder(settings.data_folder)
    container = coordinator_container(settings)
    container.clock.override(StandingClock(now))
    return container


def _well(fleet: OpsFleet, site: str) -> str:
    device = fleet.enrol(site)
    learning = LearningState(samples=140, technician_samples=22, is_ready=True)
    fleet.heard(
        device, learning=learning, model=FACTORY,
        release=fleet.release(Step.IDLE, active_version=FACTORY),
    )  # fmt: skip
    return device


def _doubts(database: Database, city: ShownCity, now: datetime) -> None:
    """Gaps with their reasons, and numbers that do not look like their place."""
    day = timedelta(days=1)
    with database.session() as session:
        gaps, oddities = GapStore(session, TENANT), AnomalyStore(session, TENANT)
        for site, ago, length, reason in (
            ("elm-and-main", now - now.replace(hour=8, minute=0), timedelta(minutes=45),
             Reason.OFFLINE),
            ("station-square", 2.2 * day, timedelta(hours=5), Reason.FRAMES_DROPPED),
            ("station-square", 5.1 * day, timedelta(hours=2), Reason.MAINTENANCE),
            ("harbour-road", timedelta(hours=3), timedelta(hours=3), Reason.OFFLINE),
            ("harbour-road", 4.4 * day, timedelta(hours=9), Reason.WITHHELD),
            ("opera-ring", 3.3 * day, timedelta(hours=4), Reason.VIEW_BLOCKED),
            ("river-bridge", 1.6 * day, timedelta(hours=1), Reason.CLOCK),
        ):  # fmt: skip
            camera = city.cameras[site]
            scan = GapScan(threshold_s=140.0, learned_from_pauses=31, scanned_until=now)
            found = Gap(start=now - ago, end=now - ago + length, reason=reason)
            period = Period(found.start, found.start + timedelta(seconds=1))
            gaps.replace(camera, period, [found], scan=scan, now=now)
            gaps.remember(camera, scan)
        for number, (site, kind, subject, detail) in enumerate(_ODD):
            start = now - timedelta(hours=10 + 24 * number)
            oddity = Oddity(
                camera_id=city.cameras[site], kind=kind, subject=subject, detail=detail,
                start=start, end=start + timedelta(hours=9), score=24.0 - number,
            )  # fmt: skip
            oddities.record(oddity, now=now)
        oddities.review(
            1, state=ReviewState.CONFIRMED, text="Roadworks until Friday.", author="vera", now=now
        )


_ODD = (
    ("university-north", AnomalyKind.LEVEL_SHIFT, "north right", {"ratio": 0.62, "is_up": False}),
    ("market-east", AnomalyKind.SILENT_CLASS, "bicycle", {"expected": 60.0, "counted": 0}),
    ("opera-ring", AnomalyKind.LEVEL_SHIFT, "south right", {"ratio": 1.8, "is_up": True}),
)


def _models(
    container: CoordinatorContainer, fleet: OpsFleet, folder: Path, boxes: list[str]
) -> tuple[str, str]:
    """One version on its way with a rollout, one at the beginning, one that was rejected."""
    models, registry = ModelCity(container, folder), container.registry()
    keep_releases(registry, container.releases())
    version = models.in_canary("1.1.0")
    limits = LimitsView(most_failed=0.1, least_confirmed=1, watch_s=0)
    wish = RolloutWish(version=version, canaries=2, limits=limits, devices=tuple(boxes))
    rollout: str = container.rollouts().start(wish, by="mila").rollout
    for _ in range(4):
        container.rollout_driver().tick()
        for device in boxes:
            _obey(container, fleet, device)
    registry.propose(version, DeploymentStage.PRODUCTION, by="mila")
    for name, wanted, reasons in (
        ("rain", "1.2.0", ()),
        ("dusk", "1.3.0", ("day: mAP50 fell from 71.2 to 66.0 points",)),
    ):
        sealed = sealed_candidate(
            folder / f"candidate-{name}", version=wanted, rejections=reasons, weights=name.encode()
        )
        registry.add(sealed, by="mila", version=wanted)
    return rollout, version


def _obey(container: CoordinatorContainer, fleet: OpsFleet, device: str) -> None:
    wish = container.twins().show(device).release
    if wish is not None:
        told = fleet.release(
            Step.CONFIRMED, active_version=wish.version, wanted_version=wish.version,
            gate=GateFigures(match=0.97, f1=0.731, active_f1=0.718),
        )  # fmt: skip
        fleet.heard(device, model=wish.version, release=told)


def _alerts(container: CoordinatorContainer, box: str, now: datetime) -> None:
    """Three that are open, of which somebody took up one."""
    minute = timedelta(minutes=1)
    findings = (
        (ThreatKind.PASSWORD_SPRAYING, "198.51.100.7", Severity.HIGH,
         "14 failed sign-ins to 6 accounts from one address within 10 minutes; 5 are allowed",
         {"accounts": ["vera", "tom", "adele"], "failures": 14}),
        (ThreatKind.SILENT_DEVICE, box, Severity.MEDIUM,
         "no report for 47 minutes; this box usually pauses for at most 2",
         {"silent_minutes": 47, "usual_minutes": 2}),
        (ThreatKind.UPDATE_OUTLIER, box, Severity.LOW,
         "the update of round 2 pointed against the others", {"round": 2, "cosine": -0.31}),
    )  # fmt: skip
    with container.database().session() as session:
        store = AlertStore(session, TENANT)
        for kind, subject, severity, summary, evidence in findings:
            finding = Finding(
                kind=kind, subject=subject, severity=severity, summary=summary,
                first_at=now - 12 * minute, last_at=now - 2 * minute, evidence=evidence,
            )  # fmt: skip
            store.keep(finding, now=now)
    with acting_as(_person("adele")):
        container.alerts().move(
            2, AlertState.ACKNOWLEDGED, note="The crew is on its way.", by="adele"
        )
