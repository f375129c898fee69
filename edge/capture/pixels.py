"""What a decoder gives → BGR pixels of the size that somebody asks for, made only then.

A network looks at a few hundred pixels a side. Going there plane by plane and colouring the
small picture costs 0.7 ms of a core at 960x540, against 4 ms for colouring the large one and
shrinking that; the two differ by the rounding of one level (``tests/integration/capture``).
"""

from __future__ import annotations

import threading
from typing import Protocol, cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Size = tuple[int, int]

_UNTAGGED, _SMPTE_170M = 2, 6
_BT601 = frozenset({_UNTAGGED, int(Colorspace.ITU601), _SMPTE_170M})
"""Matrices (H.273, table 4) that OpenCV's conversion is right for."""

_PLANAR = frozenset({"yuv420p", "yuvj420p"})


class Pixels(Protocol):
    """A picture that can be had in any size; safe to share between threads."""

    @property
    def size(self) -> Size:
        """Width and height of ``bgr``."""
        ...

    def bgr(self) -> U8:
        """Shape (h, w, 3), uint8; the same array every time."""
        ...

    def resized(self, size: Size) -> U8:
        """Shape (h, w, 3), uint8, BGR, for another width and height; bilinear."""
        ...


class Bgr:
    """An array that exists already."""

    __slots__ = ("_image",)

    def __init__(self, image: U8) -> None:
        """Take shape (h, w, 3), uint8, BGR."""
        self._image = image

    @property
    def size(self) -> Size:
        """Width and height."""
        height, width = self._image.shape[:2]
        return width, height

    def bgr(self) -> U8:
        """The array itself."""
        return self._image

    def resized(self, size: Size) -> U8:
        """As ``Pixels``."""
        return self._image if size == self.size else _resized(self._image, size)


class Decoded:
    """A frame of PyAV; it keeps the decoder's memory until it is let go."""

    __slots__ = ("_bgr", "_frame", "_lock", "_size")

    def __init__(self, frame: VideoFrame, size: Size) -> None:
        """Take a frame, and the size that ``bgr`` shall have."""
        self._frame = frame
        self._size = size
        self._bgr: U8 | None = None
        self._lock = threading.Lock()

    @property
    def size(self) -> Size:
        """Width and height of ``bgr``."""
        return self._size

    def bgr(self) -> U8:
        """As ``Pixels``; swscale goes to the size and to BGR in one step."""
        with self._lock:
            if self._bgr is None:
                width, height = self._size
                image = self._frame.to_ndarray(
                    format="bgr24", width=width, height=height, threads=1
                )
                self._bgr = cast(U8, image)
            return self._bgr

    def resized(self, size: Size) -> U8:
        """As ``Pixels``."""
        frame = self._frame
        is_known = frame.format.name in _PLANAR and int(frame.colorspace) in _BT601
        if self._bgr is not None or not is_known:
            return Bgr(self.bgr()).resized(size)
        y, u, v = (_resized(_plane(plane), size) for plane in frame.planes)
        if frame.format.name != "yuvj420p" and frame.color_range != ColorRange.JPEG:
            y, u, v = cv2.LUT(y, _FULL_LUMA), cv2.LUT(u, _FULL_CHROMA), cv2.LUT(v, _FULL_CHROMA)
        return cast(U8, cv2.cvtColor(cv2.merge((y, v, u)), cv2.COLOR_YCrCb2BGR))


def _full_range(*, low: int, levels: int, middle: int) -> U8:
    """Table from studio levels (BT.601: luma 16-235, chroma 16-240) to 0-255."""
    stretched = (np.arange(256) - low) * 255 / levels + middle
    return np.clip(np.rint(stretched), 0, 255).astype(np.uint8)


_FULL_LUMA = _full_range(low=16, levels=219, middle=0)
_FULL_CHROMA = _full_range(low=128, levels=224, middle=128)


def _plane(plane: VideoPlane) -> U8:
    """A view without the padding of the rows; shape (h, w)."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


def _resized(image: U8, size: Size) -> U8:
    if image.shape[1::-1] == size:
        return image
    return cast(U8, cv2.resize(image, size, interpolation=cv2.INTER_LINEAR))
