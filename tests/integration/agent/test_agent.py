from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from common.errors import UnreachableError
from common.site import Camera
from common.timing import SystemClock
from edge.agent import Agent, AgentSettings
from edge.capture.frames import Frame
from edge.capture.ingestion import CapturedFrame, CaptureStatus
from edge.capture.outages import Gap, GapReason
from edge.capture.pixels import Bgr
from edge.capture.quality import QualityIssue, QualityVerdict
from edge.capture.reconnecting import BackOff
from edge.detect.detections import Detections
from edge.detect.engine import Request
from edge.health import CameraHealth, CameraState, HealthWriter
from edge.keeping.keeper import BinKeeper
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.measure.stage import Measure
from edge.pipeline import CameraPipeline, Stages
from edge.track.tracker import Tracker
from edge.worker import CameraWorker, OpenedCamera
from tests.fakes.clocks import StandingClock
from tests.fakes.white_car_engine import WhiteCarEngine

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LINE = {"name": "mid", "line": [[32, 0], [32, 64]]}
Item = CapturedFrame | Gap | Exception
QUICK = AgentSettings(
    health_every_s=0.05, stop_within_s=2, back_off=BackOff(base_s=0.01, cap_s=0.02)
)


def camera(camera_id: str) -> Camera:
    return Camera.model_validate({"id": camera_id, "frame_size": [64, 64], "sections": [LINE]})


def frame(at_s: float, *issues: QualityIssue) -> CapturedFrame:
    return CapturedFrame(
        frame=Frame(
            camera_id="north",
            index=round(at_s * 10),
            captured_s=at_s,
            captured_at=NOON + timedelta(seconds=at_s),
            pixels=Bgr(np.zeros((64, 64, 3), dtype=np.uint8)),
            native_size=(64, 64),
        ),
        quality=QualityVerdict(issues=frozenset(issues), brightness=0.5),
    )


def gap(since_s: float, until_s: float) -> Gap:
    return Gap(
        camera_id="north",
        since_s=since_s,
        until_s=until_s,
        since_at=NOON + timedelta(seconds=since_s),
        until_at=NOON + timedelta(seconds=until_s),
        reason=GapReason.OFFLINE,
    )


class Script:
    """Stands for capture: plays one list of items per opening, then ends."""

    def __init__(self, *openings: Iterable[Item], status: CaptureStatus | None = None) -> None:
        self._openings = iter(openings)
        self.status = status or CaptureStatus(
            is_connected=True, reason=None, frames_read=0, frames_handed_on=0, connections=1
        )

    def __iter__(self) -> Iterator[CapturedFrame | Gap]:
        for item in next(self._openings, ()):
            if isinstance(item, Exception):
                raise item
            yield item


class Detector:
    """Sees nothing; waits where it is told to."""

    def __init__(self, hold: threading.Event | None = None) -> None:
        self._engine = WhiteCarEngine()
        self._hold = hold

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        if self._hold is not None:
            self._hold.wait(30)
        return self._engine.detect_batch([Request(frame=frame, frame_size=frame_size)])[0]


class Box:
    """Everything around an agent that lasts longer than one of its cameras' runs."""

    def __init__(self, folder: Path) -> None:
        self.clock = StandingClock(NOON)
        limits = StoreLimits(max_days=30, max_bytes=50_000_000)
        self.store = BinStore(folder / "bins.sqlite", limits=limits, clock=self.clock)
        self.stop = threading.Event()
        self.health: list[dict[str, CameraHealth]] = []

    def worker(
        self, script: Script, *, camera_id: str = "north", detector: Detector | None = None
    ) -> CameraWorker:
        def open_camera(geometry: Camera) -> OpenedCamera:
            pipeline = CameraPipeline(
                camera=geometry,
                capture=script,
                stages=Stages(
                    detector=detector or Detector(), tracker=Tracker(), measure=Measure(geometry)
                ),
                stop=self.stop,
            )
            return OpenedCamera(pipeline=pipeline, capture=script)

        return CameraWorker(
            camera(camera_id),
            open_camera=open_camera,
            keeper=BinKeeper(self.store, camera_id=camera_id, clock=self.clock),
            clock=self.clock,
        )

    def run(self, *workers: CameraWorker, settings: AgentSettings = QUICK) -> bool:
        def note(cameras: Iterable[CameraHealth]) -> None:
            self.health.append({each.camera_id: each for each in cameras})

        agent = Agent(
            workers, write_health=note, stop=self.stop, clock=SystemClock(), settings=settings
        )
        return agent.run()

    def minutes(self, camera_id: str = "north") -> list[tuple[str, int, float, bool]]:
        """Minute, part, watched seconds, whether numbers are known."""
        return [
            (
                f"{b.start:%H:%M}",
                b.part,
                b.content["coverage_s"],
                b.content["sections"][0]["counts"] is not None,
            )
            for b in self.store.bins(camera_id)
        ]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.stop.set()
    made.store.close()


def seconds(since: int, until: int) -> list[CapturedFrame]:
    return [frame(float(s)) for s in range(since, until)]


def test_a_recording_that_ends_ends_the_agent_with_every_minute_stored(box: Box) -> None:
    is_clean = box.run(box.worker(Script(seconds(0, 70))))

    assert is_clean
    assert box.minutes() == [("12:00", 0, 60.0, True), ("12:01", 0, 9.0, True)]
    assert box.health[-1]["north"].state is CameraState.FINISHED


def test_minutes_of_an_outage_are_stored_with_unknown_counts_while_it_lasts(box: Box) -> None:
    pieces = [gap(s, s + 5.0) for s in range(20, 200, 5)]

    box.run(box.worker(Script([*seconds(0, 21), *pieces])))

    assert box.minutes() == [
        ("12:00", 0, 20.0, True),
        ("12:01", 0, 0.0, False),
        ("12:02", 0, 0.0, False),
        ("12:03", 0, 0.0, False),
    ]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ZeroDivisionError("a bug"), id="unexpected"),
        pytest.param(UnreachableError("the camera is away", hint="wait"), id="expected"),
    ],
)
def test_a_camera_that_fails_begins_again_keeps_its_seconds_and_disturbs_nobody(
    box: Box, error: Exception
) -> None:
    failing = Script([*seconds(0, 11), error], seconds(20, 31))

    is_clean = box.run(box.worker(failing), box.worker(Script(seconds(0, 31)), camera_id="south"))

    assert is_clean
    assert box.minutes() == [("12:00", 0, 10.0, True), ("12:00", 1, 10.0, True)]
    assert box.minutes("south") == [("12:00", 0, 30.0, True)]
    assert box.health[-1]["north"].restarts == 1
    assert box.health[-1]["south"].restarts == 0


def test_a_failure_that_lasts_is_told_with_reason_and_advice(box: Box) -> None:
    error = UnreachableError("the camera is away", hint="check the cable")
    endless = Script(*([error] for _ in range(100_000)))
    thread = threading.Thread(target=box.run, args=(box.worker(endless),))

    thread.start()
    while not (box.health and box.health[-1]["north"].state is CameraState.FAILED):
        time.sleep(0.01)
    told = box.health[-1]["north"]
    box.stop.set()
    thread.join()

    assert (told.reason, told.advice) == ("the camera is away", "check the cable")
    assert told.restarts >= 1
    assert not told.is_healthy


def test_a_thread_that_hangs_is_told_and_does_not_hold_the_others_back(box: Box) -> None:
    hold = threading.Event()
    hanging = box.worker(Script(seconds(0, 5)), detector=Detector(hold))
    busy = box.worker(Script(seconds(0, 70)), camera_id="south")
    settings = AgentSettings(health_every_s=0.05, no_progress_s=60, stop_within_s=0.5)
    ended: list[bool] = []
    thread = threading.Thread(
        target=lambda: ended.append(box.run(hanging, busy, settings=settings))
    )

    thread.start()
    while not (box.health and box.health[-1]["south"].state is CameraState.FINISHED):
        time.sleep(0.01)
    box.clock.move(61)
    while box.health[-1]["north"].state is not CameraState.STUCK:
        time.sleep(0.01)
    box.stop.set()
    thread.join()
    hold.set()

    assert ended == [False]
    assert "nothing happened for 61 s" in box.health[-1]["north"].reason
    assert box.minutes("south")[0] == ("12:00", 0, 60.0, True)


def test_minutes_in_which_no_agent_ran_come_out_as_unknown(box: Box) -> None:
    box.run(box.worker(Script(seconds(0, 66))))
    box.clock.move(240)
    box.stop.clear()

    box.run(box.worker(Script(seconds(240, 260))))

    assert box.minutes() == [
        ("12:00", 0, 60.0, True),
        ("12:01", 0, 5.0, True),
        ("12:02", 0, 0.0, False),
        ("12:03", 0, 0.0, False),
        ("12:04", 0, 19.0, True),
    ]


@pytest.mark.parametrize("reason", list(GapReason))
def test_every_reason_for_no_frames_comes_with_advice(box: Box, reason: GapReason) -> None:
    status = CaptureStatus(
        is_connected=False, reason=reason, frames_read=0, frames_handed_on=0, connections=0
    )
    script = Script([gap(0.0, 5.0)], status=status)
    worker = box.worker(script)
    worker.run()

    told = worker.health(no_progress_s=60)

    assert (told.state, told.reason) == (CameraState.NO_FRAMES, reason.value)
    assert told.advice


def test_rates_are_those_since_the_last_report(box: Box) -> None:
    script = Script(seconds(0, 31))
    worker = box.worker(script)
    worker.run()
    box.clock.move(10)
    script.status = CaptureStatus(
        is_connected=True, reason=None, frames_read=40, frames_handed_on=30, connections=1
    )

    first = worker.health(no_progress_s=60)
    box.clock.move(10)
    second = worker.health(no_progress_s=60)

    assert (first.fps, first.dropped_share, first.last_frame_age_s) == (3.1, 0.25, 10.0)
    assert (second.fps, second.dropped_share, second.last_frame_age_s) == (0.0, None, 20.0)


def test_the_health_file_is_whole_and_without_passwords(tmp_path: Path) -> None:
    writer = HealthWriter(
        tmp_path / "health.json", model="m 1", clock=StandingClock(NOON), losses=list
    )
    failed = CameraHealth(
        camera_id="north", state=CameraState.FAILED, reason="rtsp://u:secret@h/1 is away"
    )

    writer([failed, CameraHealth(camera_id="south", state=CameraState.RUNNING)])

    content = json.loads((tmp_path / "health.json").read_text())
    assert content["status"] == "degraded"
    assert content["written_at"] == "2026-03-01T12:00:00Z"
    assert content["cameras"]["north"]["reason"] == "rtsp://h/1 is away"
    assert content["process"]["rss_bytes"] > 1_000_000
    assert not (tmp_path / "health.json.new").exists()


def test_a_health_file_that_cannot_be_written_does_not_end_the_counting(box: Box) -> None:
    def refuse(_cameras: Iterable[CameraHealth]) -> None:
        raise OSError("disk full")

    agent = Agent(
        [box.worker(Script(seconds(0, 10)))],
        write_health=refuse,
        stop=box.stop,
        clock=SystemClock(),
        settings=QUICK,
    )

    assert agent.run()
    assert box.minutes() == [("12:00", 0, 9.0, True)]
