"""Sections, directions and road users → lines and labels on a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from common.geometry import Direction, Segment
from common.road_users import RoadUser
from common.site import Camera, Section
from edge.track.tracks import TrackPoint

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Okabe & Ito's palette, told apart by colour-blind readers too (BGR).
_CLASS_COLOURS: Mapping[RoadUser, Colour] = {
    RoadUser.PERSON: (0, 159, 230),
    RoadUser.BICYCLE: (115, 158, 0),
    RoadUser.CAR: (233, 180, 86),
    RoadUser.MOTORCYCLE: (167, 121, 204),
    RoadUser.BUS: (66, 228, 240),
    RoadUser.TRUCK: (0, 94, 213),
}
_LINE: Colour = (60, 60, 255)
_AREA: Colour = (255, 160, 60)
_INK: Colour = (255, 255, 255)
_SHADE: Colour = (30, 30, 30)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_ARROW_PX = 26.0


def save_picture(image: Image, path: Path) -> None:
    """Write a picture; the format follows from the suffix.

    Raises:
        ConfigError: The folder is missing, or the suffix names no picture format.
    """
    try:
        is_written = cv2.imwrite(str(path), image)
    except cv2.error as error:
        raise ConfigError(f"picture {path} cannot be written", hint="name a .png file") from error
    if not is_written:
        raise ConfigError(f"picture {path} cannot be written", hint="name an existing folder")


def draw_sections(
    image: Image, camera: Camera, counts: Mapping[tuple[str, Direction], int] | None = None
) -> None:
    """Draw every section of ``camera`` on ``image`` in place, with its two directions.

    Args:
        image: Shape (h, w, 3), BGR; may be of another size than the camera's ``frame_size``.
        camera: Whose sections to draw.
        counts: Numbers to show at the arrows, or None for the names of the directions.
    """
    scale = np.array([image.shape[1], image.shape[0]]) / camera.frame_size
    for section in camera.sections:
        points = np.rint(np.array(section.points) * scale).astype(np.int32)
        if section.segment is None:
            _draw_area(image, section, points)
            continue
        cv2.line(image, points[0].tolist(), points[1].tolist(), _LINE, 2, cv2.LINE_AA)
        _draw_arrows(image, section.segment, scale, section.name, counts)
        _label(image, section.name, (int(points[0][0]) + 4, int(points[0][1]) - 6))


def draw_road_users(image: Image, camera: Camera, points: Iterable[TrackPoint]) -> None:
    """Draw a box, the class and the track id of every point on ``image`` in place."""
    scale_x, scale_y = np.array([image.shape[1], image.shape[0]]) / camera.frame_size
    for point in points:
        box, colour = point.box_px, _CLASS_COLOURS[point.road_user]
        x1, y1 = int(box.x1 * scale_x), int(box.y1 * scale_y)
        x2, y2 = int(box.x2 * scale_x), int(box.y2 * scale_y)
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, 2)
        cv2.circle(image, ((x1 + x2) // 2, y2), 3, colour, -1, cv2.LINE_AA)
        _label(image, f"{point.road_user.value} {point.track_id}", (x1, y1 - 4))


def _draw_area(image: Image, section: Section, points: NDArray[np.int32]) -> None:
    cv2.polylines(image, [points], True, _AREA, 2, cv2.LINE_AA)
    _label(image, f"{section.name} ({section.use.value})", (int(points[0][0]), int(points[0][1])))


def _draw_arrows(
    image: Image,
    segment: Segment,
    scale: NDArray[np.float64],
    name: str,
    counts: Mapping[tuple[str, Direction], int] | None,
) -> None:
    start, end = np.array(segment.start) * scale, np.array(segment.end) * scale
    middle = (start + end) / 2
    along = (end - start) / max(float(np.hypot(*(end - start))), 1e-6)
    to_right = np.array([-along[1], along[0]])
    for direction, normal in ((Direction.RIGHT, to_right), (Direction.LEFT, -to_right)):
        # The two arrows stand side by side, so that neither hides the other's number.
        root = middle + along * (14 if direction is Direction.RIGHT else -14)
        tip = root + normal * _ARROW_PX
        cv2.arrowedLine(
            image,
            np.rint(root).astype(int).tolist(),
            np.rint(tip).astype(int).tolist(),
            _LINE,
            2,
            cv2.LINE_AA,
            tipLength=0.35,
        )
        text = direction.value if counts is None else str(counts.get((name, direction), 0))
        _label(image, text, (int(tip[0]) + 4, int(tip[1]) + 4))


def _label(image: Image, text: str, at: tuple[int, int]) -> None:
    size = max(0.4, min(image.shape[1] / 1600, 0.8))
    (width, height), below = cv2.getTextSize(text, _FONT, size, 1)
    x = int(np.clip(at[0], 0, max(image.shape[1] - width - 2, 0)))
    y = int(np.clip(at[1], height + 2, image.shape[0] - below))
    cv2.rectangle(image, (x - 1, y - height - 2), (x + width + 1, y + below), _SHADE, -1)
    cv2.putText(image, text, (x, y), _FONT, size, _INK, 1, cv2.LINE_AA)
