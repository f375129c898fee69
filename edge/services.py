"""Settings → what runs beside the cameras: the sender, and the renewal of its certificate.

The part of the container that concerns the coordinator; without a ``coordinator`` section in
edge.yaml there is none, and nothing leaves the box.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version

from common import messages
from common.encryption import AtRestKey
from common.site import Camera, load_site
from common.timing import Clock
from common.wire import PrivacyMode
from edge.agent import Service, WriteHealth
from edge.anonymise.budget import NoiseBudget
from edge.anonymise.egress_log import EgressLog
from edge.anonymise.engine import OnLeftOut, PrivacyEngine
from edge.anonymise.settings import CameraPrivacy
from edge.config import CoordinatorSettings, EdgeConfig
from edge.deliver.clock_trust import SystemTime, TrustedTime
from edge.deliver.flights import FlightSettings
from edge.deliver.health_telling import BoxFacts
from edge.deliver.outbox import Outbox
from edge.deliver.plate_desk import NoPlates, Plates
from edge.deliver.sealing import Credentials
from edge.deliver.sender import Sender, SenderParts, SenderSettings
from edge.deliver.twin import Twin, TwinBox
from edge.enrol.identity import Identity
from edge.enrol.renewal import Renewal
from edge.health import HEALTHY, CameraHealth, disk_free_bytes
from edge.keeping.incident_board import IncidentBoard
from edge.keeping.store import BinStore
from edge.sensors import Sensors
from edge.update.gate_process import GateProcess
from edge.update.releases import ChosenModel, Releases
from edge.update.root import release_source
from edge.update.updater import Updater, UpdaterParts

_MOST_MODEL_CHARACTERS = 64


class HealthBoard:
    """Passes health on to the file, and keeps the newest for the health report."""

    def __init__(self, write_health: WriteHealth, *, clock: Clock) -> None:
        self._write_health = write_health
        self._clock = clock
        self._cameras: tuple[CameraHealth, ...] = ()

    def __call__(self, cameras: Sequence[CameraHealth]) -> None:
        """Called by the agent."""
        self._cameras = tuple(cameras)
        self._write_health(cameras)

    def cameras(self) -> tuple[messages.CameraState, ...]:
        """As the wire tells it; reasons in words stay on the box."""
        now = self._clock.now()
        return tuple(
            messages.CameraState(
                camera=camera.camera_id,
                state=camera.state.value,
                fps=round(camera.fps, 2),
                last_frame_at=(
                    None
                    if camera.last_frame_age_s is None
                    else now - timedelta(seconds=camera.last_frame_age_s)
                ),
            )
            for camera in self._cameras
        )

    def newest(self) -> tuple[CameraHealth, ...]:
        """The same tuple until the next report."""
        return self._cameras

    def healthy(self) -> frozenset[str]:
        """Cameras that give numbers now."""
        return frozenset(each.camera_id for each in self._cameras if each.state in HEALTHY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Box:
    """What the agent has for its services.

    Attributes:
        model: Name, version and backend, in words.
        restart: Asks for a new start of the agent with the site file as it is then.
        learning: What the box could train with, None where it keeps no samples.
        plates: Who takes background plates, or tells that none may be taken.
        releases: What the box was told to run, None where it takes no releases.
        running: What the cameras count with, None where it takes no releases.
    """

    config: EdgeConfig
    cameras: tuple[Camera, ...]
    store: BinStore
    board: HealthBoard
    clock: Clock
    model: str
    restart: Callable[[], None]
    incidents: IncidentBoard = field(default_factory=IncidentBoard)
    learning: Callable[[], messages.LearningState | None] = lambda: None
    plates: Plates = field(default_factory=NoPlates)
    releases: Releases | None = None
    running: ChosenModel | None = None


class RenewalService:
    """Keeps the certificate valid; the sender notices the new files by itself."""

    name = "renewal"

    def __init__(self, renewal: Renewal) -> None:
        self._renewal = renewal

    def run(self, stop: threading.Event) -> None:
        """Look after the identity until told to stop.

        Raises:
            ConfigError: The box is not enrolled; asked again later.
        """
        self._renewal.run(stop)


def services(box: Box) -> tuple[Service, ...]:
    """What runs beside the cameras; nothing without a coordinator."""
    settings = box.config.coordinator
    if settings is None:
        return ()
    renewal = Renewal(
        box.config.identity_folder, clock=box.clock, on_renewed=lambda _identity: None
    )
    sender = Sender(_parts(box, settings), _sender_settings(settings))
    return sender, RenewalService(renewal), *_updater(box)


def _updater(box: Box) -> tuple[Service, ...]:
    if box.releases is None or box.running is None:
        return ()
    config, settings = box.config, box.config.release
    parts = UpdaterParts(
        releases=box.releases,
        running=box.running,
        backend=config.backend,
        engine_cache=config.engine_cache,
        source=lambda: release_source(config.identity_folder, settings),
        cameras=box.board.newest,
        restart=box.restart,
        gate=GateProcess(
            clock=box.clock,
            limit_s=settings.gate_minutes * 60,
            niceness=settings.gate_niceness,
        ),
        clock=box.clock,
    )
    return (Updater(parts, settings),)


def _sender_settings(settings: CoordinatorSettings) -> SenderSettings:
    return SenderSettings(
        flights=FlightSettings(window=settings.window, resend_after_s=settings.resend_after_s),
        clock_wait_s=settings.clock_wait_s,
    )


def _parts(box: Box, settings: CoordinatorSettings) -> SenderParts:
    config, clock = box.config, box.clock
    twin = Twin(
        TwinBox(
            record_file=config.twin_file,
            site_file=config.site_file,
            mode_of=lambda camera_id: config.privacy.of(camera_id).mode,
            healthy=box.board.healthy,
            restart=box.restart,
            wish_release=box.releases.wish if box.releases else lambda _order: None,
        ),
        clock=clock,
        trial_s=settings.twin_trial_minutes * 60,
    )

    def open_outbox() -> Outbox:
        return Outbox(
            config.outbox_file,
            key=AtRestKey.load_or_create(config.at_rest_key_file),
            max_bytes=int(settings.outbox_mb * 1_000_000),
            clock=clock,
        )

    def open_privacy(on_left_out: OnLeftOut) -> PrivacyEngine:
        by_camera = {camera.id: _privacy(config, twin, camera.id) for camera in box.cameras}
        has_noise = any(privacy.noise is not None for privacy in by_camera.values())
        return PrivacyEngine(
            by_camera,
            budget=NoiseBudget(config.noise_budget_file, clock=clock) if has_noise else None,
            cameras=box.cameras,
            on_left_out=on_left_out,
        )

    return SenderParts(
        store=box.store,
        incidents=box.incidents,
        plates=box.plates,
        open_outbox=open_outbox,
        open_privacy=open_privacy,
        open_egress=lambda: EgressLog(config.egress_folder, clock=clock),
        load_credentials=lambda: _credentials(config, settings, clock),
        time_source=TrustedTime() if settings.clock_is_right else SystemTime(),
        facts=BoxFacts(
            software=version("its-camera-ai"),
            model=_model_version(box.model),
            cameras=box.board.cameras,
            disk_free_bytes=lambda: disk_free_bytes(config.data_folder),
            temperature_c=Sensors().temperature_c,
            learning=box.learning,
            release=box.releases.state if box.releases else lambda: None,
        ),
        twin=twin,
        site=load_site(config.site_file).site,
        cameras=box.cameras,
        clock=clock,
    )


def _privacy(config: EdgeConfig, twin: Twin, camera_id: str) -> CameraPrivacy:
    """What edge.yaml allows, or less where the coordinator wants less."""
    privacy = config.privacy.of(camera_id)
    if camera_id in twin.statistics_only and privacy.mode is PrivacyMode.OPERATIONAL:
        return privacy.model_copy(update={"mode": PrivacyMode.STATISTICS})
    return privacy


def _credentials(config: EdgeConfig, settings: CoordinatorSettings, clock: Clock) -> Credentials:
    identity = Identity.load(config.identity_folder)
    broker = identity.about.broker
    return Credentials(
        device=identity.device,
        host=broker.host,
        port=broker.port,
        protocol=settings.protocol or broker.protocol,
        encryption=identity.encryption(clock.now()),
        order_keys=identity.order_keys,
        tls=identity.tls_context(),
        certificate_expires_at=identity.certificate.expires_at,
    )


def _model_version(words: str) -> str:
    """The model's name in the characters that the wire allows."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in ".+_ -") else "_" for c in words)
    return kept.lstrip(".+_ -")[:_MOST_MODEL_CHARACTERS] or "unknown"
