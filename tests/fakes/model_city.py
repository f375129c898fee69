"""A coordinator with boxes that say what a test wants of their models, and offline keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from common.enrolment import from_base64
from common.keys import SigningKey, VerifyingKey
from common.messages import HealthReport
from common.orders import DesiredRelease
from common.release.calibration import calibration_bytes
from common.release.manifest import ReleaseManifest
from common.release.repository import TrustedKeys, add_release, begin_repository
from common.release_state import ReleaseState, SlotName, Step
from common.wire import ClockState
from coordinator.container import CoordinatorContainer
from coordinator.fleet.tables import DeviceRow, HealthRow
from coordinator.registry.stages import DeploymentStage
from tests.fakes.enrolled_box import Box
from tests.fakes.release_repository import tiny_calibration, tiny_manifest
from tests.fakes.sealed_candidate import NAME, sealed_candidate

FACTORY = "1.0.0"


@dataclass
class ModelCity:
    """Everything that a version passes on its way to the boxes."""

    container: CoordinatorContainer
    folder: Path
    root_key: SigningKey = field(default_factory=SigningKey.generate)
    targets_key: SigningKey = field(default_factory=SigningKey.generate)

    @property
    def delivery(self) -> Path:
        """What would be carried from the offline machine."""
        return self.folder / "delivery"

    def begin(self) -> None:
        """Make a root for this coordinator's online keys and hand it in."""
        online = self.container.releases().online_keys()
        trusted = TrustedKeys(
            root=(self.root_key.public,),
            targets=(self.targets_key.public,),
            snapshot=VerifyingKey.from_bytes(from_base64(online.snapshot)),
            timestamp=VerifyingKey.from_bytes(from_base64(online.timestamp)),
        )
        now = self.container.clock().now()
        begin_repository(self.delivery, trusted, [self.root_key, self.targets_key], now=now)

    def sign(self, version: str, weights: bytes) -> ReleaseManifest:
        """Sign a release in the delivery; nothing is handed in yet."""
        if not self.delivery.exists():
            self.begin()
        model, npz = self.folder / f"{version}.onnx", self.folder / f"{version}.npz"
        model.write_bytes(weights)
        npz.write_bytes(calibration_bytes(tiny_calibration()))
        manifest, files = tiny_manifest(model, npz, version=version, name=NAME)
        now = self.container.clock().now()
        add_release(self.delivery, manifest, files, [self.targets_key], now=now)
        return manifest

    def in_canary(self, version: str = "1.1.0") -> str:
        """A version that may go to canaries."""
        weights = f"weights of {version}".encode()
        registry = self.container.registry()
        candidate = sealed_candidate(self.folder / f"candidate-{version}", weights=weights)
        registry.add(candidate, by="Ada", version=version)
        registry.propose(version, DeploymentStage.STAGING, by="Ada")
        self.sign(version, weights)
        self.container.releases().receive(self.delivery, by="Ada")
        registry.propose(version, DeploymentStage.CANARY, by="Ada")
        return version

    def approve(self, version: str = "1.1.0") -> None:
        """One person proposes production, another one approves."""
        registry = self.container.registry()
        registry.propose(version, DeploymentStage.PRODUCTION, by="Ada")
        registry.approve(version, by="Grace")

    def enrol(self, site: str = "main") -> str:
        """A box that counts with what it was built with."""
        token = self.container.tokens().create(site, hours=1).token
        device = self.container.enrolment().enrol(Box.new().request(token.secret)).device
        self.say(device)
        return device

    def say(
        self,
        device: str,
        active: str = FACTORY,
        step: Step = Step.IDLE,
        *,
        wanted: str | None = None,
        reason: str | None = None,
    ) -> None:
        """The box's newest report."""
        now = self.container.clock().now()
        state = ReleaseState(
            active_version=active,
            active_sha256=f"{hash(active) % 16**8:08x}" * 8,
            slot=SlotName.FACTORY if active == FACTORY else SlotName.A,
            wanted_version=wanted,
            step=step,
            reason=reason,
            since=now,
        )
        report = HealthReport(
            at=now,
            software="0.1.0",
            model=active,
            clock=ClockState.TRUSTED,
            uptime_s=60,
            outbox_reports=0,
            outbox_bytes=0,
            disk_free_bytes=10**9,
            release=state,
        )
        with self.container.database().session() as session:
            row = session.get(HealthRow, device) or HealthRow(
                device_id=device, tenant_id="city", at=now, content={}
            )
            row.at, row.content = now, report.model_dump(mode="json")
            session.add(row)
            box = session.get(DeviceRow, device)
            assert box is not None
            box.last_seen_at = now
            session.add(box)

    def goes_away(self, device: str) -> None:
        """Nothing was heard of it for an hour."""
        with self.container.database().session() as session:
            box = session.get(DeviceRow, device)
            assert box is not None
            box.last_seen_at = self.container.clock().now() - timedelta(hours=1)
            session.add(box)

    def obeys(self, device: str) -> bool:
        """The box takes what it was told, whatever it is; False when it was told nothing new."""
        wish = self.wished(device)
        if wish is None:
            return False
        step = Step.IDLE if wish.version == FACTORY else Step.CONFIRMED
        self.say(device, wish.version, step, wanted=wish.version)
        return True

    def wished(self, device: str) -> DesiredRelease | None:
        """What the box's twin asks for."""
        return self.container.twins().show(device).release

    def tick(self) -> None:
        """One look of the driver."""
        self.container.rollout_driver().tick()
