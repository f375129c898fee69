"""One image → what the starting model is sure to see in it, straight and mirrored."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from common.telemetry import refuse_telemetry
from models.labels import Rows, fuse_views
from models.runtime import CPU_THREADS

STRIDE = 32
LEAST_SCORE = 0.1
SMALLEST_PX, LARGEST_PX = 640, 960
GREY = 114


class Teacher:
    """The start model on onnxruntime, at the image's own size and mirrored.

    Answers are kept on disk by content of model and image: a second run asks again only
    for what is new.
    """

    def __init__(self, model: Path, *, memory: Path) -> None:
        """Load ``model``; ``memory`` is the folder for answers."""
        refuse_telemetry()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = CPU_THREADS
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self._memory = memory / hashlib.sha256(model.read_bytes()).hexdigest()[:16]
        self._memory.mkdir(parents=True, exist_ok=True)

    def __call__(self, image: NDArray[np.uint8]) -> Rows:
        """Boxes in one image.

        Args:
            image: Shape (h, w, 3), BGR.

        Returns:
            Shape (n, 6): class, cx, cy, w, h as shares of the image, score; best first.
        """
        kept = self._memory / f"{hashlib.sha256(image.tobytes()).hexdigest()[:32]}.npy"
        if kept.exists():
            return np.asarray(np.load(kept), dtype=np.float64)
        plain, mirrored = self._predict(image)
        mirrored[:, 1] = 1 - mirrored[:, 1]
        rows = fuse_views([plain, mirrored])
        np.save(kept, rows)
        return rows

    def _predict(self, image: NDArray[np.uint8]) -> tuple[Rows, Rows]:
        height, width = image.shape[:2]
        # blowing a small picture up costs time and shows nothing new
        ratio = float(np.clip(max(height, width), SMALLEST_PX, LARGEST_PX)) / max(height, width)
        inner = (round(width * ratio), round(height * ratio))
        canvas_h, canvas_w = (-(-side // STRIDE) * STRIDE for side in (inner[1], inner[0]))
        canvas = np.full((canvas_h, canvas_w, 3), GREY, dtype=np.uint8)
        # the margin stays right and below: the picture is mirrored, not the canvas
        batch = []
        for view in (image, image[:, ::-1]):
            canvas[: inner[1], : inner[0]] = cv2.resize(np.ascontiguousarray(view), inner)
            batch.append(canvas[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255)
        (raw,) = self._session.run(None, {"images": np.stack(batch)})
        return _rows(raw[0], inner=inner), _rows(raw[1], inner=inner)


def _rows(raw: NDArray[np.float32], *, inner: tuple[int, int]) -> Rows:
    scores = raw[4:].max(axis=0)
    keep = np.flatnonzero(scores >= LEAST_SCORE)
    keep = keep[np.argsort(-scores[keep], kind="stable")]
    boxes = raw[:4, keep].T.astype(np.float64) / np.tile(np.asarray(inner, dtype=np.float64), 2)
    classes = raw[4:, keep].argmax(axis=0)
    kept = _suppress(boxes, scores[keep])
    return np.column_stack([classes[kept], boxes[kept], scores[keep][kept]])


def _suppress(boxes: NDArray[np.float64], scores: NDArray[np.float32]) -> NDArray[np.int64]:
    if not len(boxes):
        return np.zeros(0, dtype=np.int64)
    corners = np.column_stack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]])
    # scaled up: OpenCV compares boxes of less than a pixel badly
    picked = cv2.dnn.NMSBoxes((corners * 1e4).tolist(), scores.tolist(), LEAST_SCORE, 0.6)
    return np.asarray(picked, dtype=np.int64).reshape(-1)
