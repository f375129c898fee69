"""Samples of a box → shuffled, augmented batches, without a picture ever lying open on a disk.

Ultralytics reads pictures and labels from files; here the same data set class reads them
from memory, where they were decrypted to. A wide picture is shown through a square window
that moves from epoch to epoch: letterboxed, half of the work would go into grey bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from common.road_users import ROAD_USERS
from common.samples import Region, Sample, SampleBox
from models.labels import Rows, cut_rows
from models.recipe import Recipe

WIDE = 1.4
LEAST_VISIBLE = 0.35
GREY = 114
SMALLEST_BOX = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A sample and the vertical strip of it that one epoch shows.

    Attributes:
        left: Left edge as a share of the picture's width.
        right: Its right edge.
    """

    sample: Sample
    left: float = 0.0
    right: float = 1.0

    @property
    def rows(self) -> Rows:
        """Boxes inside the strip, shape (n, 5)."""
        rows = rows_of(self.sample)
        if self.right - self.left >= 1:
            return rows
        return cut_rows(rows, left=self.left, right=self.right, least_visible=LEAST_VISIBLE)

    def picture(self) -> NDArray[np.uint8]:
        """The strip, shape (h, w, 3), BGR, with grey where nobody is sure.

        Raises:
            ConfigError: The sample is not a picture that OpenCV can read.
        """
        image = decode(self.sample)
        height, width = image.shape[:2]
        painted = image.copy() if self.sample.ignore else image
        for region in self.sample.ignore:
            left, top, right, bottom = _corners_px(region, width, height)
            painted[top:bottom, left:right] = GREY
        for box in self.sample.boxes if self.sample.ignore else ():
            # Who is labelled shows, also where somebody unsure stands behind.
            left, top, right, bottom = _corners_px(box, width, height)
            painted[top:bottom, left:right] = image[top:bottom, left:right]
        image = painted
        return image[:, round(self.left * width) : round(self.right * width)]


def batches_of(samples: Sequence[Sample], recipe: Recipe) -> Iterator[Any]:
    """Every batch of every epoch of the recipe, one after the other.

    Args:
        samples: At least one.
        recipe: Size, augmentation and seed; chance depends on it alone.
    """
    from models.training import loader_of, seed_chance

    seed_chance(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    kind = _memory_dataset(recipe)
    sizes = [picture_size(sample) for sample in samples]
    for epoch in range(recipe.epochs):
        views = [_view(s, size, rng) for s, size in zip(samples, sizes, strict=True)]
        yield from loader_of(kind, views, replace(recipe, seed=recipe.seed + epoch))


def rows_of(sample: Sample) -> Rows:
    """Boxes of a sample as YOLO rows, shape (n, 5)."""
    rows = [(b.class_index, b.cx, b.cy, b.w, b.h) for b in sample.boxes]
    return np.asarray(rows, dtype=np.float64).reshape(-1, 5)


def boxes_of(rows: Rows) -> tuple[SampleBox, ...]:
    """The same back, scores from a sixth column; boxes without an extent are left out."""
    boxes = []
    for row in rows:
        cx, cy, w, h = np.clip(row[1:5], 0, 1).tolist()
        if w > SMALLEST_BOX and h > SMALLEST_BOX:
            score = float(np.clip(row[5], 0, 1)) if len(row) > 5 else 1.0
            user = ROAD_USERS[int(row[0])]
            boxes.append(SampleBox(road_user=user, cx=cx, cy=cy, w=w, h=h, score=score))
    return tuple(boxes)


def decode(sample: Sample) -> NDArray[np.uint8]:
    """The picture of a sample, shape (h, w, 3), BGR.

    Raises:
        ConfigError: It is not a picture that OpenCV can read.
    """
    image = cv2.imdecode(np.frombuffer(sample.jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ConfigError(
            f"sample {sample.id} of {sample.camera} is not a readable picture, expected JPEG",
            hint="remove it from the sample folder",
        )
    return np.asarray(image, dtype=np.uint8)


def picture_size(sample: Sample) -> tuple[int, int]:
    """Height and width of a sample's picture, read without keeping the picture."""
    height, width = decode(sample).shape[:2]
    return height, width


def fitted(picture: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """The picture with its longer side at ``side_px``, shape (h, w, 3)."""
    height, width = picture.shape[:2]
    ratio = side_px / max(height, width)
    if ratio == 1:
        return picture
    size = (min(side_px, max(1, round(width * ratio))), min(side_px, max(1, round(height * ratio))))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _view(sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> View:
    height, width = size
    if width < WIDE * height:
        return View(sample=sample)
    share = height / width
    left = float(rng.uniform(0, 1 - share))
    return View(sample=sample, left=left, right=left + share)


def _memory_dataset(recipe: Recipe) -> Any:
    from models.training import degraded_dataset

    base: Any = degraded_dataset(recipe)

    class MemoryDataset(base):  # type: ignore[misc]
        """Ultralytics' data set over views: names and sizes are invented, pixels are not."""

        def get_img_files(self, img_path: Sequence[View]) -> list[str]:
            self.views = list(img_path)
            return [f"{number:06d}.jpg" for number in range(len(self.views))]

        def get_labels(self) -> list[dict[str, Any]]:
            return [_label(n, v) for n, v in zip(self.im_files, self.views, strict=True)]

        def load_image(self, i: int, *_: Any, **__: Any) -> Any:
            if self.ims[i] is None:
                picture = self.views[i].picture()
                small = fitted(picture, self.imgsz)
                self.ims[i], self.im_hw0[i] = small, picture.shape[:2]
                self.im_hw[i] = small.shape[:2]
                # mosaics are made of the pictures in this buffer
                self.buffer.append(i)
                if 1 < len(self.buffer) >= self.max_buffer_length:
                    self.ims[self.buffer.pop(0)] = None
            return self.ims[i], self.im_hw0[i], self.im_hw[i]

    return MemoryDataset


def _label(name: str, view: View) -> dict[str, Any]:
    rows = view.rows.astype(np.float32)
    return {
        "im_file": name,
        "shape": (0, 0),
        "cls": rows[:, :1],
        "bboxes": rows[:, 1:],
        "segments": [],
        "keypoints": None,
        "normalized": True,
        "bbox_format": "xywh",
    }


def _corners_px(region: Region, width: int, height: int) -> tuple[int, int, int, int]:
    return (
        max(0, round((region.cx - region.w / 2) * width)),
        max(0, round((region.cy - region.h / 2) * height)),
        round((region.cx + region.w / 2) * width),
        round((region.cy + region.h / 2) * height),
    )
