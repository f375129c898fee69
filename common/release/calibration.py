"""A few frames with their truth ↔ one bounded file that every box can measure a model on.

The frames are simulated, so nobody is in them and their truth is exact. ``reference`` is what
the ONNX model itself found: a box whose engine finds something else built another model.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import NotFoundError, TrustError
from common.release.manifest import MOST_CALIBRATION_BYTES

MOST_FRAMES = 24
MOST_FRAME_SIDE_PX = 1920
_MOST_BOXES = 24 * 300
_PARTS = ("boxes", "classes", "scores", "frames")
_NAMES = frozenset({"frames", *(f"{s}_{p}" for s in ("truth", "reference") for p in _PARTS)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameBoxes:
    """Boxes on one frame.

    Attributes:
        boxes_px: Shape (n, 4), float32, x1 y1 x2 y2 in pixels of the frame.
        classes: Shape (n,), int64, index into the manifest's classes.
        scores: Shape (n,), float32, in [0, 1]; ones for the truth.
    """

    boxes_px: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CalibrationSet:
    """What a model is measured on before it may count.

    Attributes:
        frames: Shape (n, h, w, 3), uint8, BGR as capture hands them on.
        truth: One per frame.
        reference: What the ONNX model found, one per frame.
    """

    frames: NDArray[np.uint8]
    truth: tuple[FrameBoxes, ...]
    reference: tuple[FrameBoxes, ...]

    def __post_init__(self) -> None:
        shape = self.frames.shape
        if len(shape) != 4 or shape[3] != 3 or self.frames.dtype != np.uint8:
            raise ValueError(f"frames of shape {shape} {self.frames.dtype}, expected (n, h, w, 3)")
        if not 1 <= len(self.frames) <= MOST_FRAMES or max(shape[1:3]) > MOST_FRAME_SIDE_PX:
            raise ValueError(f"frames of shape {shape}, expected at most {MOST_FRAMES} frames")
        if {len(self.truth), len(self.reference)} != {len(self.frames)}:
            raise ValueError(f"{len(self.truth)} truths for {len(self.frames)} frames")


def calibration_bytes(calibration: CalibrationSet) -> bytes:
    """The file; equal sets give equal bytes."""
    arrays = {"frames": calibration.frames}
    for side, frames in (("truth", calibration.truth), ("reference", calibration.reference)):
        numbers = [np.full(len(one.classes), index) for index, one in enumerate(frames)]
        arrays |= {
            f"{side}_boxes": np.concatenate([one.boxes_px.reshape(-1, 4) for one in frames]),
            f"{side}_classes": np.concatenate([one.classes for one in frames]),
            f"{side}_scores": np.concatenate([one.scores for one in frames]),
            f"{side}_frames": np.concatenate(numbers).astype(np.int64),
        }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_calibration(path: Path) -> CalibrationSet:
    """Read a calibration file; everything in it is bounded before it is unpacked.

    Raises:
        NotFoundError: No such file.
        TrustError: Not such a file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            most = MOST_FRAMES * MOST_FRAME_SIDE_PX**2 * 3
            if set(sizes) != {f"{name}.npy" for name in _NAMES} or sum(sizes.values()) > most:
                raise TrustError(f"calibration set {path} holds {sorted(sizes)[:12]}")
        if path.stat().st_size > MOST_CALIBRATION_BYTES:
            raise TrustError(
                f"calibration set {path} is bigger than {MOST_CALIBRATION_BYTES} bytes"
            )
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _NAMES}
    except FileNotFoundError as error:
        raise NotFoundError(f"calibration set {path} is not there") from error
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise TrustError(f"calibration set {path} cannot be read: {error}") from error
    try:
        count = len(arrays["frames"])
        return CalibrationSet(
            frames=arrays["frames"],
            truth=_sides(arrays, "truth", count),
            reference=_sides(arrays, "reference", count),
        )
    except (ValueError, TypeError, IndexError) as error:
        raise TrustError(f"calibration set {path} does not fit together: {error}") from error


def _sides(
    arrays: Mapping[str, NDArray[np.generic]], side: str, count: int
) -> tuple[FrameBoxes, ...]:
    boxes, classes, scores, numbers = (arrays[f"{side}_{part}"] for part in _PARTS)
    rows = len(numbers)
    if boxes.shape != (rows, 4) or classes.shape != (rows,) or scores.shape != (rows,):
        raise ValueError(f"{side} has {rows} rows and boxes of shape {boxes.shape}")
    if rows > _MOST_BOXES or (rows and not 0 <= int(numbers.min()) <= int(numbers.max()) < count):
        raise ValueError(f"{side} names frames that are not there")
    if not np.isfinite(boxes.astype(np.float64)).all():
        raise ValueError(f"{side} has boxes that are not finite")
    return tuple(
        FrameBoxes(
            boxes_px=boxes[numbers == index].astype(np.float32),
            classes=classes[numbers == index].astype(np.int64),
            scores=scores[numbers == index].astype(np.float32),
        )
        for index in range(count)
    )


def no_boxes() -> FrameBoxes:
    """A frame with nobody in it."""
    return frame_boxes([])


def frame_boxes(rows: Sequence[tuple[tuple[float, float, float, float], int, float]]) -> FrameBoxes:
    """Rows of box in pixels, class and score."""
    return FrameBoxes(
        boxes_px=np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4),
        classes=np.array([row[1] for row in rows], dtype=np.int64),
        scores=np.array([row[2] for row in rows], dtype=np.float32),
    )
