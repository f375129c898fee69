"""Steps of one camera → a video that shows what was counted.

For the eyes of whoever checks a count on their own clip: the people in it are shown
as they are. The agent never writes one.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from common.errors import ConfigError, UnreachableError
from common.geometry import Direction
from common.site import Camera
from edge.counting.drawing import draw_road_users, draw_sections
from edge.pipeline import Step

_TIME_BASE = Fraction(1, 90_000)


class AnnotatedVideo:
    """Write the frames of a run with sections, road users and running counts."""

    def __init__(self, path: Path, camera: Camera) -> None:
        """Open ``path`` for writing; the container follows from its suffix.

        Raises:
            ConfigError: The folder is missing, or the suffix names no container.
        """
        try:
            self._container = av.open(str(path), "w")
            self._stream = self._container.add_stream("libx264", rate=30)
        except (FFmpegError, OSError, ValueError) as error:
            raise ConfigError(
                f"annotated video {path} cannot be written: {error}",
                hint="name a .mp4 file in an existing folder",
            ) from error
        self._camera = camera
        self._path = path
        self._is_begun = False
        self._counts: Counter[tuple[str, Direction]] = Counter()
        self.last_picture: NDArray[np.uint8] | None = None

    def __enter__(self) -> Self:
        """The open video."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is still in the encoder and close the file."""
        try:
            if self._is_begun:
                self._container.mux(self._stream.encode())
            self._container.close()
        except (FFmpegError, OSError) as failure:
            raise self._full(failure) from failure

    def add(self, step: Step) -> None:
        """Draw and write the frame of one step; a step without a frame writes nothing."""
        for crossing in step.measured.crossings:
            self._counts[crossing.section, crossing.direction] += 1
        if step.frame is None or step.tracked is None:
            return
        picture = step.frame.image.copy()
        draw_sections(picture, self._camera, self._counts)
        now = [point for point in step.tracked.points if point.at_s == step.frame.captured_s]
        draw_road_users(picture, self._camera, now)
        self.last_picture = picture
        self._write(picture, step.frame.captured_s)

    def _write(self, picture: NDArray[np.uint8], at_s: float) -> None:
        # H.264 halves the colour planes: both sides must be even.
        height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
        if not self._is_begun:
            self._is_begun = True
            self._stream.width, self._stream.height = width, height
            self._stream.pix_fmt = "yuv420p"
            self._stream.time_base = _TIME_BASE
            self._stream.codec_context.time_base = _TIME_BASE
            self._stream.options = {"preset": "veryfast", "crf": "23"}
        even = np.ascontiguousarray(picture[:height, :width])
        frame = av.VideoFrame.from_ndarray(even, format="bgr24")
        frame.pts = round(at_s / _TIME_BASE)
        frame.time_base = _TIME_BASE
        try:
            self._container.mux(self._stream.encode(frame))
        except (FFmpegError, OSError) as failure:
            raise self._full(failure) from failure

    def _full(self, failure: Exception) -> UnreachableError:
        return UnreachableError(
            f"annotated video {self._path} cannot be written on: {failure}", hint="free disk space"
        )
