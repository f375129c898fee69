"""Boxes of a set and boxes of a teacher → complete labels of one image.

Rows are normalised YOLO boxes: class, centre x, centre y, width, height, all of the
image's size; a prediction carries its score as a sixth column.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser

Rows = NDArray[np.float64]

SAME_OBJECT_IOU = 0.55
TOUCHES_LABEL_SHARE = 0.35
PERSON = ROAD_USER_INDEX[RoadUser.PERSON]
RIDDEN = [i for i, road_user in enumerate(ROAD_USERS) if road_user.is_ridden]


def read_rows(path: Path) -> Rows:
    """Read one YOLO label file.

    Returns:
        Shape (n, 5).

    Raises:
        ConfigError: A line is not five numbers of a known class inside the image.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != 5 or not 0 <= row[0] < len(ROAD_USERS) or max(row[1:], default=2) > 1.001:
            raise ConfigError(
                f"label file {path} line {number} is {line.strip()[:60]!r}, expected "
                f"'class x y w h' with class 0 to {len(ROAD_USERS) - 1} and shares of the image",
                hint="export the set in YOLO detection format with the class order of ROAD_USERS",
            )
        rows.append(row)
    return np.asarray(rows, dtype=np.float64).reshape(-1, 5)


def write_rows(path: Path, rows: Rows) -> None:
    """Write one YOLO label file, scores left out."""
    lines = [f"{int(row[0])} " + " ".join(f"{value:.6f}" for value in row[1:5]) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def fill_labels(
    labels: Rows,
    predictions: Rows,
    *,
    labelled: frozenset[int],
    unlabelled_score: float,
    missed_score: float,
) -> Rows:
    """Add what the teacher is sure of and the annotators did not draw.

    A class nobody labelled is filled from ``unlabelled_score`` on. A labelled class is
    filled only from ``missed_score`` on, because there an empty place is usually true. A
    prediction on top of a drawn box is dropped: the annotator has decided what that is.
    The exception is a person on a drawn bicycle or motorcycle, which is its rider.

    Args:
        labels: Shape (n, 5), the set's own boxes; they are kept as they are.
        predictions: Shape (m, 6), the teacher's boxes.
        labelled: Classes that the set claims to label exhaustively.
        unlabelled_score: Lowest score in a class that is not labelled.
        missed_score: Lowest score in a class that is labelled.

    Returns:
        Shape (n + added, 5), the set's boxes first.
    """
    added = []
    for row in predictions:
        is_labelled = int(row[0]) in labelled
        if row[5] < (missed_score if is_labelled else unlabelled_score):
            continue
        if not _is_taken(row, labels, is_labelled=is_labelled):
            added.append(row[:5])
    return np.concatenate([labels, np.asarray(added).reshape(-1, 5)])


def fuse_views(views: Sequence[Rows]) -> Rows:
    """Merge predictions of one image seen in several ways (Solovyev et al. 2021).

    Boxes of one class that overlap become one, weighted by score; its score is the mean
    over all views, so a thing that only one view saw ends up low.

    Args:
        views: Each of shape (n, 6), in the coordinates of the same image.

    Returns:
        Shape (m, 6), best first.
    """
    rows = np.concatenate([np.asarray(view).reshape(-1, 6) for view in views])
    rows = rows[np.argsort(-rows[:, 5], kind="stable")]
    clusters: list[list[Rows]] = []
    heads = np.empty((0, 6))
    for row in rows:
        mates = np.flatnonzero(
            (heads[:, 0] == row[0]) & (overlaps(row, heads) >= SAME_OBJECT_IOU)
            if len(heads)
            else np.zeros(0, dtype=bool)
        )
        if len(mates):
            clusters[mates[0]].append(row)
        else:
            clusters.append([row])
            heads = np.concatenate([heads, row[None]])
    fused = np.empty((len(clusters), 6))
    for i, members in enumerate(clusters):
        stack = np.stack(members)
        fused[i, 0] = stack[0, 0]
        fused[i, 1:5] = np.average(stack[:, 1:5], axis=0, weights=stack[:, 5])
        fused[i, 5] = min(stack[:, 5].sum() / len(views), stack[:, 5].max())
    return fused[np.argsort(-fused[:, 5], kind="stable")]


def cut_rows(rows: Rows, *, left: float, right: float, least_visible: float) -> Rows:
    """Labels of a vertical strip of the image, in shares of that strip.

    Args:
        rows: Shape (n, 5), in shares of the whole image.
        left: Left edge of the strip as a share of the image's width.
        right: Its right edge.
        least_visible: Boxes of which a smaller share lies inside are left out.
    """
    low = np.maximum(rows[:, 1] - rows[:, 3] / 2, left)
    high = np.minimum(rows[:, 1] + rows[:, 3] / 2, right)
    keep = (high - low) >= least_visible * rows[:, 3]
    cut = rows[keep].copy()
    cut[:, 1] = ((low + high)[keep] / 2 - left) / (right - left)
    cut[:, 3] = (high - low)[keep] / (right - left)
    return cut


def overlaps(row: Rows, others: Rows) -> NDArray[np.float64]:
    """Intersection over union of one box with many, shape (n,)."""
    shared = _intersections(row, others)
    union = row[3] * row[4] + others[:, 3] * others[:, 4] - shared
    return np.asarray(shared / np.maximum(union, 1e-12))


def _is_taken(row: Rows, labels: Rows, *, is_labelled: bool) -> bool:
    if not len(labels):
        return False
    rivals = labels
    if int(row[0]) == PERSON:
        rivals = labels[~np.isin(labels[:, 0], RIDDEN)]
        if not len(rivals):
            return False
    if not is_labelled and int(row[0]) == PERSON:
        # somebody in front of a car is there although most of the box lies on the car
        return bool((overlaps(row, rivals) >= SAME_OBJECT_IOU).any())
    covered = _intersections(row, rivals) / max(row[3] * row[4], 1e-12)
    return bool((covered >= TOUCHES_LABEL_SHARE).any())


def _intersections(row: Rows, others: Rows) -> NDArray[np.float64]:
    sides = []
    for centre, extent in ((1, 3), (2, 4)):
        low = np.maximum(row[centre] - row[extent] / 2, others[:, centre] - others[:, extent] / 2)
        high = np.minimum(row[centre] + row[extent] / 2, others[:, centre] + others[:, extent] / 2)
        sides.append(np.maximum(high - low, 0))
    return np.asarray(sides[0] * sides[1])
