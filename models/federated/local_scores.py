"""A model and samples of one device → mAP50 of its classes, measured in memory where they lie.

The validator of the bench reads files; a device's pictures never lie open in one. The same
rules on a few pictures: greedy matching at an overlap of 0.5, best score first, and average
precision over 101 recall points (Lin et al. 2014, COCO).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.road_users import ROAD_USERS
from common.samples import Sample
from models.federated.image_batches import decode, rows_of
from models.labels import Rows, overlaps

SAME_OBJECT = 0.5
LEAST_SCORE = 0.01
RECALL_POINTS = np.linspace(0, 1, 101)


def own_map50(model: Any, samples: Sequence[Sample], *, image_px: int) -> dict[str, float]:
    """mAP50 of each class that the samples hold.

    Args:
        model: ``ultralytics.YOLO``; it is fused in place.
        samples: Pictures with boxes.
        image_px: Longer side of the input.
    """
    pairs = [
        (rows_of(one), predicted_rows(model, decode(one), image_px=image_px, least=LEAST_SCORE))
        for one in samples
    ]
    return {str(ROAD_USERS[index]): value for index, value in map50_of(pairs).items()}


def map50_of(pairs: Sequence[tuple[Rows, Rows]]) -> Mapping[int, float]:
    """Class index → AP50 over pictures, for each class that is drawn in one.

    Args:
        pairs: Drawn boxes, shape (n, 5), and found ones, shape (m, 6), of each picture.
    """
    drawn = np.concatenate([rows[:, 0] for rows, _ in pairs]) if pairs else np.empty(0)
    result = {}
    for index in np.unique(drawn).astype(int).tolist():
        marks: list[tuple[float, bool]] = []
        for labels, found in pairs:
            marks += _marks(labels[labels[:, 0] == index], found[found[:, 0] == index])
        result[index] = _average_precision(marks, int((drawn == index).sum()))
    return result


def predicted_rows(model: Any, image: NDArray[np.uint8], *, image_px: int, least: float) -> Rows:
    """What a model sees in one picture, shape (n, 6), best first.

    Args:
        model: ``ultralytics.YOLO``; it is fused in place.
        image: Shape (h, w, 3), BGR.
        image_px: Longer side of the input.
        least: Lowest score.
    """
    (found,) = model.predict(image, imgsz=image_px, conf=least, device="cpu", verbose=False)
    boxes = found.boxes
    columns = (boxes.cls[:, None], boxes.xywhn, boxes.conf[:, None])
    return np.concatenate([np.asarray(c, dtype=np.float64) for c in columns], axis=1)


def _marks(labels: Rows, found: Rows) -> list[tuple[float, bool]]:
    """Score of each found box and whether it is one of the drawn ones, each taken once."""
    is_free = np.ones(len(labels), dtype=bool)
    marks = []
    for row in found[np.argsort(-found[:, 5], kind="stable")]:
        shared = np.where(is_free, overlaps(row, labels), 0.0) if len(labels) else np.zeros(1)
        best = int(shared.argmax())
        is_hit = bool(shared[best] >= SAME_OBJECT)
        if is_hit:
            is_free[best] = False
        marks.append((float(row[5]), is_hit))
    return marks


def _average_precision(marks: Sequence[tuple[float, bool]], drawn: int) -> float:
    if not marks:
        return 0.0
    hits = np.asarray([is_hit for _, is_hit in sorted(marks, key=lambda mark: -mark[0])])
    right = hits.cumsum()
    recall = right / drawn
    precision = right / np.arange(1, len(hits) + 1)
    # the best precision at this recall or any higher one
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALL_POINTS, side="left")
    reached = np.append(envelope, 0.0)[places]
    return float(reached.mean())
