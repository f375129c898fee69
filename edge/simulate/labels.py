"""A scene → labelled frames in YOLO layout, for training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from common.geometry import Box
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser
from edge.simulate.config import SceneConfig
from edge.simulate.frame_truth import FrameUser, frame_users
from edge.simulate.render import Renderer
from edge.simulate.world import World

LEAST_VISIBLE = 0.3
LEAST_SIDE_PX = 8.0
_JPEG_QUALITY = 92


def labels_of(user: FrameUser) -> Iterator[tuple[RoadUser, Box]]:
    """Boxes as COCO draws them: a rider is a person, and the cycle below a box of its own."""
    if user.rider_px is not None and user.cycle_px is not None:
        yield RoadUser.PERSON, user.rider_px
        yield user.road_user, user.cycle_px
    elif not user.road_user.is_ridden:
        yield user.road_user, user.box_px


def visible_labels(users: Iterable[FrameUser]) -> Iterator[tuple[RoadUser, Box]]:
    """What a picture shows well enough to be asked for."""
    for user in users:
        if user.visible < LEAST_VISIBLE:
            continue
        for road_user, box in labels_of(user):
            if min(box.width, box.height) >= LEAST_SIDE_PX:
                yield road_user, box


def write_labelled_frames(
    config: SceneConfig,
    folder: Path,
    *,
    frames: int,
    every_s: float = 2.0,
    start_s: float = 20.0,
) -> int:
    """Write ``images/``, ``labels/`` and ``data.yaml``; call again to add other scenes.

    Args:
        config: What to draw; its duration does not matter here.
        folder: Where to write; created if absent.
        frames: How many frames.
        every_s: Scene time between two frames, so that they differ.
        start_s: Scene time of the first, when the scene has filled.

    Returns:
        Number of boxes written.

    Raises:
        ValueError: ``frames`` or ``every_s`` is not above zero.
    """
    if frames <= 0 or every_s <= 0:
        raise ValueError(f"{frames} frames every {every_s} s, expected both above zero")
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    world, renderer = World(config), Renderer(config)
    stem = f"{config.layout}_{config.light}_{config.weather}_{config.width_px}_{config.seed}"
    written = 0
    for index in range(frames):
        at_s = start_s + index * every_s
        lines = _label_lines(frame_users(world, at_s), config)
        _write_frame(folder, f"{stem}_{index:05d}", renderer.draw(world, at_s, index), lines)
        written += len(lines)
    names = {i: str(road_user) for i, road_user in enumerate(ROAD_USERS)}
    data = {"path": str(folder.resolve()), "train": "images", "val": "images", "names": names}
    (folder / "data.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return written


def _write_frame(folder: Path, name: str, image: NDArray[np.uint8], lines: list[str]) -> None:
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    (folder / "images" / f"{name}.jpg").write_bytes(encoded.tobytes())
    (folder / "labels" / f"{name}.txt").write_text("".join(lines), encoding="utf-8")


def _label_lines(users: tuple[FrameUser, ...], config: SceneConfig) -> list[str]:
    lines = []
    for road_user, box in visible_labels(users):
        centre = box.centre
        numbers = (
            centre.x / config.width_px,
            centre.y / config.height_px,
            box.width / config.width_px,
            box.height / config.height_px,
        )
        lines.append(
            f"{ROAD_USER_INDEX[road_user]} " + " ".join(f"{n:.6f}" for n in numbers) + "\n"
        )
    return lines
