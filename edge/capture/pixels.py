"""What a decoder gives → BGR pixels of the size that somebody asks for, made only then.

A network looks at a few hundred pixels a side. Going there plane by plane and colouring the
small picture costs 0.9 ms of a core at 960x540, against 4 ms for colouring the large one and
shrinking that; the two differ by about one level (``tests/integration/capture``). Where nothing
gets smaller colours come first: without scaling they cost 0.1 ms.
"""

from __future__ import annotations

import threading
from functools import cache
from types import MappingProxyType
from typing import Protocol, cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Size = tuple[int, int]

_PLANAR = frozenset({"yuv420p", "yuvj420p"})
_BT601, _BT709 = (0.299, 0.114), (0.2126, 0.0722)
_LUMA_SHARES = MappingProxyType({2: _BT601, 5: _BT601, 6: _BT601, 1: _BT709})
"""Matrix of a stream (H.273, table 4; 2 is untagged, and swscale takes BT.601 then) → what red
and blue give to luma."""


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
        name, matrix = frame.format.name, int(frame.colorspace)
        is_smaller = size[0] * size[1] < frame.width * frame.height
        is_known = name in _PLANAR and matrix in _LUMA_SHARES
        if self._bgr is not None or not is_smaller or not is_known:
            return Bgr(self.bgr()).resized(size)
        is_full = name == "yuvj420p" or frame.color_range == ColorRange.JPEG
        planes = [_resized(_plane(plane), size) for plane in frame.planes]
        return cast(U8, cv2.transform(cv2.merge(planes), _to_bgr(matrix, is_full=is_full)))


@cache
def _to_bgr(matrix: int, *, is_full: bool) -> NDArray[np.float32]:
    """Rows of blue, green and red from luma, Cb, Cr and 1 (H.273, equations 38 to 43).

    Studio range is 16 to 235 for luma and 16 to 240 for chroma; full range is 0 to 255.
    """
    red, blue = _LUMA_SHARES[matrix]
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0) if is_full else (255 / 219, 255 / 224, 16)
    of_cb, of_cr = 2 * (1 - blue) * chroma, 2 * (1 - red) * chroma
    rows = np.array(
        [
            [luma, of_cb, 0],
            [luma, -of_cb * blue / green, -of_cr * red / green],
            [luma, 0, of_cr],
        ]
    )
    offset = -rows @ (black, 128, 128)
    return np.column_stack((rows, offset)).astype(np.float32)


def _plane(plane: VideoPlane) -> U8:
    """A view without the padding of the rows; shape (h, w)."""
    # A plane has the buffer protocol, which its stubs do not tell.
    rows: U8 = np.frombuffer(memoryview(cast(bytes, plane)), np.uint8)
    return rows.reshape(-1, plane.line_size)[: plane.height, : plane.width]


def _resized(image: U8, size: Size) -> U8:
    if image.shape[1::-1] == size:
        return image
    return cast(U8, cv2.resize(image, size, interpolation=cv2.INTER_LINEAR))
