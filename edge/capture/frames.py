"""The value that capture hands on: one image with its own time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.capture.pixels import Pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One image of one camera.

    Attributes:
        camera_id: Camera that saw it.
        index: Position in the stream as read, from 0; dropped frames leave holes.
        captured_s: Stream clock in seconds (presentation time); never frame / fps. It
            rises strictly, across reconnects too.
        captured_at: The same moment as aware UTC.
        pixels: What was seen; possibly scaled down from ``native_size``.
        native_size: Width and height of the stream in pixels.
    """

    camera_id: str
    index: int
    captured_s: float
    captured_at: datetime
    pixels: Pixels
    native_size: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of ``image``."""
        return self.pixels.size

    @property
    def image(self) -> NDArray[np.uint8]:
        """Shape (h, w, 3), uint8, BGR; made when it is first asked for."""
        return self.pixels.bgr()


class FrameSource(Protocol):
    """An opened camera, file or simulation, good for one pass.

    A source that is not live waits for its reader and is read to its end; a live one
    ends only by an error or by ``close``.
    """

    @property
    def native_size(self) -> tuple[int, int]:
        """Width and height of the stream in pixels."""
        ...

    @property
    def expected_frames(self) -> int | None:
        """How many frames there will be, or None for a live source."""
        ...

    @property
    def is_live(self) -> bool:
        """True when frames arrive whether or not anybody takes them."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Yield frames in time order until the source ends.

        Raises:
            UnreachableError: The source went away; opening it again may work.
            ConfigError: It will never work as configured (not a video, wrong password).
        """
        ...

    def close(self) -> None:
        """Release the source; safe to call twice and from another thread."""
        ...
