"""A camera and an engine → first impressions: size, rate, light, time for a frame."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from common.errors import UnreachableError
from common.logs import without_credentials
from common.site import Camera
from edge.capture.frames import Frame
from edge.capture.ingestion import CapturedFrame, CaptureSettings
from edge.capture.pixels import Bgr
from edge.container import EdgeContainer
from edge.detect.engine import InferenceEngine

ENOUGH_FRAMES = 30
LONGEST_LOOK_S = 8.0
_TIMED_RUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a few seconds of a source show.

    Attributes:
        native_size: Width and height of the stream in pixels.
        fps: Frames per second by the stream's own clock, 0 with a single frame.
        brightness: Mean level, 0 black to 1 white.
        is_live: Frames come whether or not anybody takes them.
    """

    native_size: tuple[int, int]
    fps: float
    brightness: float
    is_live: bool


def look_at_camera(container: EdgeContainer, camera: Camera) -> Look:
    """Open the camera and take some frames.

    Raises:
        ConfigError: Wrong address, wrong password, or not a video.
        UnreachableError: No answer, or no frames.
    """
    stop = threading.Event()
    settings = CaptureSettings(keeps_trying=False)
    capture = container.capture(camera, settings=settings, stop=stop)
    frames: list[tuple[int, float]] = []
    brightness, native_size = 0.0, (0, 0)
    began_s = time.monotonic()
    for item in capture:
        if isinstance(item, CapturedFrame):
            frames.append((item.frame.index, item.frame.captured_s))
            brightness, native_size = item.quality.brightness, item.frame.native_size
        if len(frames) >= ENOUGH_FRAMES or time.monotonic() - began_s > LONGEST_LOOK_S:
            break
    stop.set()
    if not frames:
        raise UnreachableError(
            f"{without_credentials(camera.source)} opened but gave no picture in "
            f"{LONGEST_LOOK_S:g} s, expected frames",
            hint="restart the camera; look how many others watch it",
        )
    (first, since_s), (last, until_s) = frames[0], frames[-1]
    return Look(
        native_size=native_size,
        fps=(last - first) / (until_s - since_s) if until_s > since_s else 0.0,
        brightness=brightness,
        is_live=capture.expected_frames is None,
    )


def detect_s(engine: InferenceEngine, camera: Camera) -> float:
    """Seconds that the engine takes for one frame of the camera's size; the best of three.

    Raises:
        ConfigError: The model refuses such a frame.
    """
    width, height = camera.frame_size
    frame = Frame(
        camera_id=camera.id,
        index=0,
        captured_s=0.0,
        captured_at=datetime.now(UTC),
        pixels=Bgr(np.zeros((height, width, 3), dtype=np.uint8)),
        native_size=camera.frame_size,
    )
    engine.detect(frame, frame_size=camera.frame_size)
    taken_s = []
    for _ in range(_TIMED_RUNS):
        began_s = time.perf_counter()
        engine.detect(frame, frame_size=camera.frame_size)
        taken_s.append(time.perf_counter() - began_s)
    return min(taken_s)
