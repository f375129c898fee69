"""Simulated scenes and a model → the frames, truth and detections that a release is measured by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from common.release.calibration import MOST_FRAMES, CalibrationSet, FrameBoxes, frame_boxes
from common.road_users import ROAD_USER_INDEX
from edge.capture.frames import Frame
from edge.capture.pixels import Bgr
from edge.detect.engine import InferenceEngine
from edge.simulate.config import SceneConfig
from edge.simulate.frame_truth import frame_users
from edge.simulate.labels import visible_labels
from edge.simulate.render import Renderer
from edge.simulate.source_uri import parse_source
from edge.simulate.world import World

SCENES: tuple[str, ...] = (
    "simulate:junction?seed=31&size=640x360&vehicles=14",
    "simulate:road?seed=32&light=night&size=640x360&vehicles=18",
    "simulate:road?seed=33&weather=rain&size=640x360&vehicles=18",
    "simulate:junction?seed=34&light=dusk&size=640x360&vehicles=14",
)
"""Day, night, rain and dusk; no scene of the proof set and none that training draws."""

START_S = 20.0
"""Scene time of the first frame, when the scene has filled."""
EVERY_S = 5.0
"""So far apart that no frame repeats another."""


def calibrate(
    engine: InferenceEngine, *, scenes: Sequence[str] = SCENES, frames: int = 12
) -> CalibrationSet:
    """Draw the frames and look at each with the model.

    Args:
        engine: The reference: the ONNX model on onnxruntime.
        scenes: Where frames come from, in turns; all of one size.
        frames: How many.

    Raises:
        ConfigError: A source is no scene, sizes differ, or too many frames.
    """
    if not 1 <= frames <= MOST_FRAMES or not scenes:
        raise ConfigError(f"{frames} frames of {len(scenes)} scenes, expected 1 to {MOST_FRAMES}")
    configs = [parse_source(scene) for scene in scenes]
    if len({(config.width_px, config.height_px) for config in configs}) != 1:
        raise ConfigError("scenes of different sizes, expected one size", hint="add &size=640x360")
    drawn = list(_drawn(configs, frames))
    pictures = np.stack([picture for picture, _ in drawn])
    return CalibrationSet(
        frames=pictures,
        truth=tuple(truth for _, truth in drawn),
        reference=tuple(_found(engine, picture, index) for index, picture in enumerate(pictures)),
    )


def _drawn(
    configs: Sequence[SceneConfig], frames: int
) -> Iterator[tuple[NDArray[np.uint8], FrameBoxes]]:
    shares = [frames // len(configs) + (i < frames % len(configs)) for i in range(len(configs))]
    for config, share in zip(configs, shares, strict=True):
        world, renderer = World(config), Renderer(config)
        for index in range(share):
            at_s = START_S + index * EVERY_S
            labels = visible_labels(frame_users(world, at_s))
            rows = [(box, ROAD_USER_INDEX[road_user], 1.0) for road_user, box in labels]
            yield renderer.draw(world, at_s, index), frame_boxes(rows)


def _found(engine: InferenceEngine, picture: NDArray[np.uint8], index: int) -> FrameBoxes:
    height, width = picture.shape[:2]
    frame = Frame(
        camera_id="calibration",
        index=index,
        captured_s=index * EVERY_S,
        captured_at=datetime(2026, 1, 1, tzinfo=UTC),
        pixels=Bgr(picture),
        native_size=(width, height),
    )
    found = engine.detect(frame, frame_size=(width, height))
    return FrameBoxes(boxes_px=found.boxes_px, classes=found.classes, scores=found.scores)
