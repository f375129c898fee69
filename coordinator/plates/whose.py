"""A camera and the boxes at its site → the box that counts with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def box_of(camera: str, boxes: Sequence[tuple[str, Mapping[str, Any]]]) -> str | None:
    """The box that told of this camera, or the only one; None where nobody can say.

    Args:
        camera: Its name.
        boxes: Enrolled boxes of the site, each with the content of its newest health report.
    """
    for device, health in boxes:
        if any(told.get("camera") == camera for told in health.get("cameras", ())):
            return device
    return boxes[0][0] if len(boxes) == 1 else None
