"""A coordinator's container → boxes in every condition, as their own reports would tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from common.messages import CameraState, HealthReport, LearningState
from common.orders import DesiredCamera
from common.release_state import GateFigures, ReleaseState, SlotName, Step
from common.wire import ClockState
from coordinator.container import CoordinatorContainer
from coordinator.fleet.tables import DeviceRow, HealthRow, TwinRow
from coordinator.fleet.views import TwinWish
from tests.fakes.enrolled_box import Box
from tests.fakes.federated_fleet import learning_key

GIB = 1024**3


class OpsFleet:
    """Boxes of a coordinator whose clock stands at ``now``."""

    def __init__(self, container: CoordinatorContainer, *, now: datetime) -> None:
        self.container = container
        self.now = now
        container.authority().create("Springfield")
        container.ring().turn()

    def enrol(self, site: str) -> str:
        """Let a box in; its id."""
        secret = self.container.tokens().create(site, hours=24).token.secret
        request = Box.new().request(secret).model_copy(update={"learning_key": learning_key()})
        device: str = self.container.enrolment().enrol(request).device
        return device

    def heard(self, device: str, *, ago: timedelta = timedelta(seconds=20), **more: Any) -> None:
        """The box sent a health report."""
        at = self.now - ago
        told: dict[str, Any] = {
            "software": "0.4.0",
            "model": "1.1.0",
            "clock": ClockState.TRUSTED,
            "uptime_s": 6 * 86_400.0,
            "outbox_reports": 1,
            "outbox_bytes": 4096.0,
            "disk_free_bytes": 41 * GIB,
            "temperature_c": 52.5,
            "cameras": (
                CameraState(camera="cam-north", state="running", fps=14.8, last_frame_at=at),
            ),
            **more,
        }
        report = HealthReport(at=at, **told)
        with self.container.database().session() as session:
            session.merge(
                HealthRow(
                    device_id=device,
                    tenant_id=self.container.settings().tenant.id,
                    at=at,
                    content=report.model_dump(mode="json"),
                )
            )
            row = session.get(DeviceRow, device)
            assert row is not None
            row.last_seen_at = at
            session.add(row)

    def answered(self, device: str, state: str, *, version: int) -> None:
        """The box spoke about a wish."""
        with self.container.database().session() as session:
            row = session.get(TwinRow, device)
            assert row is not None
            row.reported_version, row.reported_state, row.reported_at = version, state, self.now
            session.add(row)

    def wish(self, device: str, camera: str = "cam-north") -> None:
        """Somebody wants something of the box."""
        self.container.twins().wish(device, TwinWish(cameras=(DesiredCamera(camera=camera),)))

    def everything(self) -> dict[str, str]:
        """A box in every condition, by a word for it."""
        boxes = {
            "well": self.enrol("elm-and-main"),
            "silent": self.enrol("station-square"),
            "troubled": self.enrol("harbour-road"),
            "updating": self.enrol("harbour-road"),
            "new": self.enrol("station-square"),
            "ended": self.enrol("elm-and-main"),
        }
        self.heard(
            boxes["well"],
            learning=LearningState(samples=412, technician_samples=36, is_ready=True),
            release=self.release(Step.CONFIRMED, wanted_version="1.2.0", active_version="1.2.0"),
        )
        self.wish(boxes["well"])
        self.answered(boxes["well"], "applied", version=1)
        self.heard(boxes["silent"], ago=timedelta(hours=7))
        self.heard(
            boxes["troubled"],
            cameras=(
                CameraState(camera="harbour-road-1", state="no_frames", fps=0.0),
                CameraState(
                    camera="harbour-road-2", state="running", fps=9.7, last_frame_at=self.now
                ),
            ),
            disk_free_bytes=2 * GIB, temperature_c=91.0, outbox_reports=940, outbox_bytes=3.1e7,
            release=self.release(
                Step.REFUSED, wanted_version="1.2.0", reason="low_f1",
                gate=GateFigures(match=0.91, f1=0.642, active_f1=0.718),
            ),
            learning=LearningState(
                samples=18, technician_samples=0, is_ready=False, reasons=("temperature", "window")
            ),
        )  # fmt: skip
        self.wish(boxes["troubled"], "harbour-road-1")
        self.answered(boxes["troubled"], "refused", version=1)
        self.heard(boxes["updating"], release=self.release(Step.WATCHING, wanted_version="1.2.0"))
        self.wish(boxes["updating"])
        self.container.fleet().retire(boxes["ended"], reason="stolen from the pole")
        return boxes

    def release(self, step: Step, **more: Any) -> ReleaseState:
        """What a box says of its model."""
        told: dict[str, Any] = {
            "active_version": "1.1.0",
            "active_sha256": "ab" * 32,
            "slot": SlotName.A,
            "since": self.now - timedelta(minutes=12),
            **more,
        }
        return ReleaseState(step=step, **told)
