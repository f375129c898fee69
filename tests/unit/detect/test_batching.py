from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from common.errors import ConfigError, ConflictError
from edge.detect.batching import BatchingDetector, BatchLimits
from edge.detect.decode import Thresholds
from edge.detect.detections import Detections
from edge.detect.engine import InferenceEngine, Request
from tests.fakes.backend import FakeBackend, Planted
from tests.fakes.frames import make_frame

pytestmark = pytest.mark.unit

PATIENCE_S = 20
LONG_S = 3600.0


class SlowEngine:
    """Notes batches as camera ids; holds the first until ``go`` is set."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.batches: list[list[str]] = []
        self.moments: list[float] = []
        self.started = threading.Event()
        self.go = threading.Event()
        self._error = error

    def detect_batch(self, requests: Sequence[Request]) -> list[Detections]:
        self.batches.append([request.frame.camera_id for request in requests])
        self.moments += [request.frame.captured_s for request in requests]
        self.started.set()
        assert self.go.wait(PATIENCE_S)
        if self._error:
            raise self._error
        return [nothing_seen(request) for request in requests]


def nothing_seen(request: Request) -> Detections:
    return Detections(
        camera_id=request.frame.camera_id,
        captured_s=request.frame.captured_s,
        captured_at=request.frame.captured_at,
        boxes_px=np.empty((0, 4), dtype=np.float32),
        scores=np.empty(0, dtype=np.float32),
        classes=np.empty(0, dtype=np.int64),
        class_scores=np.empty((0, 6), dtype=np.float32),
    )


def request(camera_id: str, captured_s: float = 0.0) -> Request:
    frame = make_frame(camera_id, size=(32, 32), captured_s=captured_s)
    return Request(frame=frame, frame_size=(32, 32))


def busy_with(detector: BatchingDetector, engine: SlowEngine, camera_id: str) -> Future[Detections]:
    """Send one frame and come back when the engine holds it."""
    running = detector.submit(request(camera_id), newest_wins=True)
    assert engine.started.wait(PATIENCE_S)
    return running


def test_a_lone_camera_never_waits_for_company() -> None:
    engine = SlowEngine()
    engine.go.set()

    with BatchingDetector(engine, limits=BatchLimits(wait_s=LONG_S)) as detector:
        found = detector.detect(request("north").frame, frame_size=(32, 32))

    assert found.camera_id == "north"
    assert engine.batches == [["north"]]


def test_frames_that_gather_while_the_engine_works_run_together() -> None:
    engine = SlowEngine()

    with BatchingDetector(engine, limits=BatchLimits(wait_s=0)) as detector:
        busy_with(detector, engine, "a")
        coming = [detector.submit(request(name), newest_wins=True) for name in ("b", "c", "d")]
        engine.go.set()
        found = [future.result(PATIENCE_S).camera_id for future in coming]

    assert found == ["b", "c", "d"]
    assert engine.batches == [["a"], ["b", "c", "d"]]


def test_a_batch_goes_as_soon_as_every_active_camera_is_in_it() -> None:
    engine = SlowEngine()
    limits = BatchLimits(wait_s=LONG_S, active_s=LONG_S)

    with BatchingDetector(engine, limits=limits) as detector:
        busy_with(detector, engine, "a")
        engine.go.set()
        coming = [detector.submit(request(name), newest_wins=True) for name in ("b", "a")]
        for future in coming:
            future.result(PATIENCE_S)

    assert engine.batches == [["a"], ["b", "a"]]


def test_an_active_camera_that_stays_away_is_waited_for_only_so_long() -> None:
    engine = SlowEngine()
    limits = BatchLimits(wait_s=0.01, active_s=LONG_S)

    with BatchingDetector(engine, limits=limits) as detector:
        busy_with(detector, engine, "a")
        engine.go.set()
        detector.submit(request("b"), newest_wins=True).result(PATIENCE_S)

    assert engine.batches == [["a"], ["b"]]


def test_a_batch_has_a_largest_size_and_the_longest_waiting_go_first() -> None:
    engine = SlowEngine()

    with BatchingDetector(engine, limits=BatchLimits(max_frames=2, wait_s=0)) as detector:
        busy_with(detector, engine, "a")
        coming = [detector.submit(request(name), newest_wins=True) for name in ("b", "c", "d")]
        engine.go.set()
        for future in coming:
            future.result(PATIENCE_S)

    assert engine.batches == [["a"], ["b", "c"], ["d"]]


def test_of_a_live_camera_only_the_newest_frame_waits() -> None:
    engine = SlowEngine()

    with BatchingDetector(engine, limits=BatchLimits(wait_s=0)) as detector:
        busy_with(detector, engine, "a")
        older = detector.submit(request("a", captured_s=1.0), newest_wins=True)
        newer = detector.submit(request("a", captured_s=2.0), newest_wins=True)
        engine.go.set()
        found = newer.result(PATIENCE_S)

    assert older.cancelled()
    assert found.captured_s == 2.0
    assert engine.moments == [0.0, 2.0]


def test_a_file_waits_until_its_frame_was_taken_and_loses_none() -> None:
    engine = SlowEngine()

    with BatchingDetector(engine, limits=BatchLimits(wait_s=0)) as detector:
        busy_with(detector, engine, "a")
        detector.submit(request("a", captured_s=1.0), newest_wins=False)
        threading.Timer(0.05, engine.go.set).start()
        last = detector.submit(request("a", captured_s=2.0), newest_wins=False)
        last.result(PATIENCE_S)

    assert engine.moments == [0.0, 1.0, 2.0]


def test_what_the_engine_raises_reaches_everyone_who_waits_and_the_next_frame_runs() -> None:
    engine = SlowEngine(error=ConfigError("model refuses input"))

    with BatchingDetector(engine, limits=BatchLimits(wait_s=0)) as detector:
        first = busy_with(detector, engine, "a")
        coming = [detector.submit(request(name), newest_wins=True) for name in ("b", "c")]
        engine.go.set()

        for future in (first, *coming):
            with pytest.raises(ConfigError, match="refuses input"):
                future.result(PATIENCE_S)


def test_closing_finishes_what_runs_and_cancels_what_waits() -> None:
    engine = SlowEngine()
    detector = BatchingDetector(engine, limits=BatchLimits(wait_s=0))
    running = busy_with(detector, engine, "a")
    waiting = detector.submit(request("a"), newest_wins=True)

    threading.Timer(0.05, engine.go.set).start()
    detector.close()
    detector.close()

    assert running.result(0).camera_id == "a"
    assert waiting.cancelled()
    with pytest.raises(ConflictError, match="was closed"):
        detector.submit(request("a"), newest_wins=True)


def test_a_camera_blocked_at_the_door_is_told_of_the_closing() -> None:
    engine = SlowEngine()
    detector = BatchingDetector(engine, limits=BatchLimits(wait_s=0))
    busy_with(detector, engine, "a")
    detector.submit(request("a"), newest_wins=False)
    told = threading.Event()

    def blocked() -> None:
        with pytest.raises(ConflictError, match="was closed"):
            detector.submit(request("a"), newest_wins=False)
        told.set()

    camera = threading.Thread(target=blocked)
    camera.start()
    threading.Timer(0.05, engine.go.set).start()
    detector.close()
    camera.join(PATIENCE_S)

    assert told.is_set()


def test_a_frame_that_its_camera_gave_up_is_not_looked_at() -> None:
    engine = SlowEngine()

    with BatchingDetector(engine, limits=BatchLimits(wait_s=0)) as detector:
        busy_with(detector, engine, "a")
        detector.submit(request("b"), newest_wins=True).cancel()
        last = detector.submit(request("c"), newest_wins=True)
        engine.go.set()
        last.result(PATIENCE_S)

    assert engine.batches == [["a"], ["c"]]


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"max_frames": 0}, id="no frame"),
        pytest.param({"wait_s": -1}, id="negative wait"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected 1 or more and no negative time"):
        BatchLimits(**limits)


def test_three_cameras_at_once_each_get_their_own_answers() -> None:
    # The score is the red of the picture, so an answer tells which picture it belongs to.
    backend = FakeBackend([Planted((0, 0, 32, 32), 2)])
    engine = InferenceEngine(backend, thresholds=Thresholds(floor=0.01))
    scores: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    reds = {"a": range(5, 25), "b": range(105, 125), "c": range(205, 225)}

    def drive(camera_id: str) -> None:
        for red in reds[camera_id]:
            frame = make_frame(camera_id, size=(64, 64), red=red)
            found = detector.detect(frame, frame_size=(64, 64))
            scores[camera_id].append(round(float(found.scores[0]) * 255))

    with BatchingDetector(engine) as detector:
        cameras = [threading.Thread(target=drive, args=(camera_id,)) for camera_id in scores]
        for camera in cameras:
            camera.start()
        for camera in cameras:
            camera.join(PATIENCE_S)

    assert scores == {camera_id: list(wanted) for camera_id, wanted in reds.items()}
