"""Truth and detections of a calibration set → average precision, class by class.

The rules of COCO (Lin et al. 2014): greedy matching, best score first, 101 recall points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.release.calibration import CalibrationSet, FrameBoxes
from common.road_users import ROAD_USERS

_RECALL = np.linspace(0, 1, 101)
_OVERLAPS = np.arange(0.5, 1.0, 0.05)

F64 = NDArray[np.float64]


def scores_of(calibration: CalibrationSet) -> dict[str, Any]:
    """Scores of the reference model on the set, as a bench writes them for one labelled set."""
    classes = {}
    drawn = np.concatenate([one.classes for one in calibration.truth])
    for index in np.unique(drawn).tolist():
        values = [_average_precision(calibration, index, least) for least in _OVERLAPS]
        classes[str(ROAD_USERS[index])] = {
            "map50": values[0],
            "map50_95": float(np.mean(values)),
            "boxes": int((drawn == index).sum()),
        }
    mean = {
        name: float(np.mean([one[name] for one in classes.values()]))
        for name in ("map50", "map50_95")
    }
    return {"mean": {**mean, "boxes": len(drawn)}, "classes": classes}


def _average_precision(calibration: CalibrationSet, index: int, least: float) -> float:
    marks: list[tuple[float, bool]] = []
    wanted = 0
    for truth, found in zip(calibration.truth, calibration.reference, strict=True):
        boxes = _of_class(truth, index).boxes_px
        wanted += len(boxes)
        marks += _marks(_of_class(found, index), boxes, least)
    marks.sort(key=lambda mark: -mark[0])
    hits = np.cumsum([is_hit for _, is_hit in marks], dtype=np.float64)
    if not len(hits) or not wanted:
        return 0.0
    precision = hits / np.arange(1, len(hits) + 1)
    # The best precision at this recall or any higher one.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / wanted, _RECALL, side="left")
    reached = places < len(envelope)
    return float(np.where(reached, envelope[np.minimum(places, len(envelope) - 1)], 0.0).mean())


def _marks(
    found: FrameBoxes, boxes_px: NDArray[np.float32], least: float
) -> Sequence[tuple[float, bool]]:
    shares = _shares(found.boxes_px, boxes_px)
    marks = []
    for row in np.argsort(-found.scores, kind="stable"):
        best = int(shares[row].argmax()) if shares.shape[1] else -1
        is_hit = best >= 0 and shares[row, best] >= least
        if is_hit:
            shares[:, best] = -1
        marks.append((float(found.scores[row]), bool(is_hit)))
    return marks


def _shares(one: NDArray[np.float32], other: NDArray[np.float32]) -> F64:
    """Intersection over union, shape (n, m)."""
    a, b = one.astype(np.float64)[:, None], other.astype(np.float64)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both = np.clip(sides, 0, None).prod(axis=-1)
    areas = [np.prod(each[..., 2:] - each[..., :2], axis=-1) for each in (a, b)]
    shares: F64 = both / np.maximum(areas[0] + areas[1] - both, 1e-9)
    return shares


def _of_class(frame: FrameBoxes, index: int) -> FrameBoxes:
    rows = frame.classes == index
    return FrameBoxes(
        boxes_px=frame.boxes_px[rows], classes=frame.classes[rows], scores=frame.scores[rows]
    )
