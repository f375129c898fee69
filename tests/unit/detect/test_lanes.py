from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect.decode import Thresholds
from edge.detect.engine import InferenceEngine
from edge.detect.lanes import CpuShare
from tests.fakes.backend import FakeBackend, Planted
from tests.fakes.frames import make_frame

pytestmark = pytest.mark.unit

PATIENCE_S = 10.0
SIZE = (640, 384)
WHOLE = Planted((0, 0, 640, 384), class_index=2)


class BothAtOnce(FakeBackend):
    """Answers only when two inferences are inside at the same time."""

    def __init__(self) -> None:
        super().__init__([WHOLE])
        self._meeting = threading.Barrier(2, timeout=PATIENCE_S)

    def infer(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        self._meeting.wait()
        return super().infer(images)


@pytest.mark.parametrize(
    ("cores", "lanes", "threads"),
    [(1, 1, 1), (2, 2, 1), (4, 4, 1), (6, 4, 1), (8, 4, 2), (64, 4, 16)],
)
def test_cores_become_lanes_first_and_threads_then(cores: int, lanes: int, threads: int) -> None:
    assert CpuShare.of(cores) == CpuShare(lanes=lanes, threads=threads)


def test_no_number_of_cores_stands_for_all_of_them() -> None:
    assert CpuShare.of(0).lanes >= 1


def test_a_negative_number_of_cores_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 cores"):
        CpuShare.of(-1)


def test_two_lanes_work_side_by_side_and_keep_their_pictures_apart() -> None:
    engine = InferenceEngine(BothAtOnce(), thresholds=Thresholds(floor=0.1), lanes=2)

    with ThreadPoolExecutor(2) as pool:
        dark, bright = (
            pool.submit(engine.detect, make_frame(size=SIZE, red=red), frame_size=SIZE)
            for red in (51, 255)
        )
        scores = [float(coming.result().scores[0]) for coming in (dark, bright)]

    # The planted box answers with the red value of its picture: 51/255 and 255/255.
    assert scores == pytest.approx([0.2, 1.0])


def test_an_engine_without_a_lane_is_refused() -> None:
    with pytest.raises(ValueError, match="0 lanes"):
        InferenceEngine(FakeBackend(), thresholds=Thresholds(floor=0.1), lanes=0)


def test_a_lane_is_free_again_after_a_failed_inference() -> None:
    class Failing(FakeBackend):
        def infer(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
            super().infer(images)
            if len(self.shapes) == 1:
                raise RuntimeError("out of memory")
            return super().infer(images)

    engine = InferenceEngine(Failing([WHOLE]), thresholds=Thresholds(floor=0.0))
    frame = make_frame(size=SIZE, red=255)
    with pytest.raises(RuntimeError, match="out of memory"):
        engine.detect(frame, frame_size=SIZE)

    assert len(engine.detect(frame, frame_size=SIZE).scores) == 1
