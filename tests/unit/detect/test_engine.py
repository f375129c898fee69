from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError
from edge.detect.decode import Thresholds
from edge.detect.engine import EngineInfo, InferenceEngine, Request
from edge.detect.models import ModelFile
from tests.fakes.backend import FakeBackend, Planted
from tests.fakes.frames import START, make_frame

pytestmark = pytest.mark.unit

CAR_HERE = Planted((100, 112, 200, 212), 2, 0.75)
# The score is the red of the pixel in the middle, so an answer tells its image.
REDNESS = Planted((100, 112, 200, 212), 2)


def test_boxes_carry_the_camera_its_clock_and_the_site_pixels() -> None:
    engine = InferenceEngine(FakeBackend([CAR_HERE]), thresholds=Thresholds(floor=0.1))
    frame = make_frame("north", size=(640, 352), captured_s=1.5)

    found = engine.detect(frame, frame_size=(1280, 704))

    assert found.camera_id == "north"
    assert found.captured_s == 1.5
    assert (found.captured_at - START).total_seconds() == 1.5
    np.testing.assert_allclose(found.boxes_px, [[200, 224, 400, 424]])
    np.testing.assert_allclose(found.class_scores, [[0, 0, 0.75, 0, 0, 0]])


def test_frames_of_one_shape_run_as_one_batch() -> None:
    backend = FakeBackend([REDNESS])
    engine = InferenceEngine(backend, thresholds=Thresholds(floor=0.1))
    frames = [make_frame(name, red=red) for name, red in (("a", 51), ("b", 255), ("c", 102))]

    found = engine.detect_batch([Request(frame=f, frame_size=(640, 384)) for f in frames])

    assert backend.shapes == [(3, 3, 384, 640)]
    assert [d.camera_id for d in found] == ["a", "b", "c"]
    np.testing.assert_allclose([d.scores[0] for d in found], [0.2, 1.0, 0.4], atol=1e-6)


def test_frames_of_several_shapes_keep_their_order() -> None:
    backend = FakeBackend([REDNESS])
    engine = InferenceEngine(backend, thresholds=Thresholds(floor=0.1))
    frames = [
        make_frame("wide", red=51),
        make_frame("square", size=(640, 640), red=102),
        make_frame("wide too", red=255),
    ]

    found = engine.detect_batch([Request(frame=f, frame_size=(640, 640)) for f in frames])

    assert backend.shapes == [(2, 3, 384, 640), (1, 3, 640, 640)]
    np.testing.assert_allclose([d.scores[0] for d in found], [0.2, 0.4, 1.0], atol=1e-6)


def test_no_frames_need_no_inference() -> None:
    backend = FakeBackend()

    assert InferenceEngine(backend, thresholds=Thresholds(floor=0.1)).detect_batch([]) == []
    assert backend.shapes == []


def test_a_model_of_fixed_size_decides_the_input() -> None:
    backend = FakeBackend(fixed_size=(640, 640))
    engine = InferenceEngine(backend, thresholds=Thresholds(floor=0.1))

    engine.detect(make_frame(size=(640, 352)), frame_size=(640, 352))

    assert backend.shapes == [(1, 3, 640, 640)]
    assert engine.info.input == "640x640"


def test_a_short_input_side_makes_a_small_input() -> None:
    backend = FakeBackend()

    InferenceEngine(backend, thresholds=Thresholds(floor=0.1), input_long_side=416).detect(
        make_frame(size=(1280, 720)), frame_size=(1280, 720)
    )

    assert backend.shapes == [(1, 3, 256, 416)]


def test_info_names_model_backend_and_input() -> None:
    model = ModelFile(
        path=Path("its.onnx"), name="its", version="1.2", sha256="ab", class_names=("car",)
    )

    info = InferenceEngine(FakeBackend(), thresholds=Thresholds(floor=0.1), model=model).info

    assert info == EngineInfo(
        name="its", version="1.2", backend="fake", sha256="ab", input="640 px"
    )


def test_a_model_that_knows_no_road_user_is_refused() -> None:
    with pytest.raises(ConfigError, match="classes are cat"):
        InferenceEngine(FakeBackend(class_names=["cat"]), thresholds=Thresholds(floor=0.1))
