"""A picture → a few numbers about light, sharpness and detail, from a thumbnail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

DETAIL_WIDTH_PX = 320
THUMB_WIDTH_PX = 160
CELL_PX = 16
SATURATED_LEVEL = 250


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """What one glance at a picture shows; levels are 0 (black) to 1 (white).

    Attributes:
        thumb: Shape (h, 160), uint8, grey.
        brightness: Mean level.
        median: Median level.
        saturated_share: Share of the picture at the white end, in [0, 1].
        sharpness: Second over first derivative, both as deviation; falls with blur and
            does not depend on light or contrast. NaN for an even surface.
        cell_detail: Shape (rows, columns), float32: deviation of level within each cell
            of 16 x 16 thumbnail pixels, in levels of 0 to 255.
    """

    thumb: NDArray[np.uint8]
    brightness: float
    median: float
    saturated_share: float
    sharpness: float
    cell_detail: NDArray[np.float32]


def look_at(image: NDArray[np.uint8]) -> Look:
    """Measure one picture of shape (h, w, 3), uint8, BGR."""
    detail = _grey(image, DETAIL_WIDTH_PX)
    thumb = _scaled(detail, THUMB_WIDTH_PX)
    histogram = np.bincount(thumb.ravel(), minlength=256)
    return Look(
        thumb=thumb,
        brightness=float(thumb.mean()) / 255,
        median=int(np.searchsorted(np.cumsum(histogram), thumb.size / 2)) / 255,
        saturated_share=float(histogram[SATURATED_LEVEL:].sum() / thumb.size),
        sharpness=_sharpness(detail),
        cell_detail=cell_detail(thumb),
    )


def cell_detail(thumb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Deviation of level within each cell; a rest smaller than a cell is left out."""
    rows, columns = max(1, thumb.shape[0] // CELL_PX), max(1, thumb.shape[1] // CELL_PX)
    height, width = min(CELL_PX, thumb.shape[0]), min(CELL_PX, thumb.shape[1])
    cut = thumb[: rows * height, : columns * width]
    cells = cut.reshape(rows, height, columns, width).astype(np.float32)
    return cast(NDArray[np.float32], cells.std(axis=(1, 3)))


def edges(thumb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gradient magnitude, shape of ``thumb``: what stays when the light changes."""
    x = cv2.Sobel(thumb, cv2.CV_32F, 1, 0)
    y = cv2.Sobel(thumb, cv2.CV_32F, 0, 1)
    return cast(NDArray[np.float32], cv2.magnitude(x, y))


def offset_px(
    reference: NDArray[np.float32], current: NDArray[np.float32]
) -> tuple[float, float, float]:
    """How far ``current`` lies from ``reference``, and how well they match there.

    Phase correlation (Kuglin & Hines 1975) under a Hann window.

    Args:
        reference: Edges of the learned background.
        current: Edges of the picture, same shape.

    Returns:
        Pixels to the right, pixels down, and the share of the correlation in its peak.
    """
    window = cv2.createHanningWindow(reference.shape[::-1], cv2.CV_32F)
    # Copies, because sizes that need no padding are windowed in place.
    (right, down), response = cv2.phaseCorrelate(reference.copy(), current.copy(), window)
    return float(right), float(down), float(response)


def likeness(reference: NDArray[np.float32], current: NDArray[np.float32]) -> float:
    """Normalised correlation of two edge maps, in [-1, 1]; 0 for an even surface."""
    a, b = reference - reference.mean(), current - current.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.vdot(a, b)) / size if size > 0 else 0.0


def _sharpness(grey: NDArray[np.uint8]) -> float:
    bend = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1].item()
    gradient = cv2.meanStdDev(cv2.Sobel(grey, cv2.CV_16S, 1, 0))[1].item()
    gradient += cv2.meanStdDev(cv2.Sobel(grey, cv2.CV_16S, 0, 1))[1].item()
    return bend / gradient if gradient > 1 else float("nan")


def _grey(image: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    # Green carries most of the luma, and taking it costs a tenth of converting colours.
    step = max(1, image.shape[1] // (2 * width_px))
    return _scaled(np.ascontiguousarray(image[::step, ::step, 1]), width_px)


def _scaled(grey: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    height, width = grey.shape
    if width <= width_px:
        return grey
    size = (width_px, max(1, round(height * width_px / width)))
    # At about half the size, linear interpolation is an average of 2 x 2 pixels, ten
    # times faster than area interpolation.
    return cast(NDArray[np.uint8], cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR))
