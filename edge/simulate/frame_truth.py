"""A world at a moment → the exact box, class and visible share of everybody in the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.geometry import Box
from common.road_users import RoadUser
from edge.simulate.furniture import occluders, signal_pieces
from edge.simulate.ordering import far_to_near
from edge.simulate.painter import PlacedMesh, paint_mask
from edge.simulate.pinhole import PinholeCamera
from edge.simulate.render import in_view, standing
from edge.simulate.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameUser:
    """One road user in one frame.

    Attributes:
        id: Unique in the scene.
        road_user: What it counts as; a rider and the cycle are one.
        box_px: Tight box before anything hides it, cut at the edge of the frame.
        rider_px: Box of the person on a cycle alone, else None.
        cycle_px: Box of the cycle alone, else None.
        visible: Share of its pixels in the frame that nothing hides, 0 to 1.
        is_cut: The frame's edge cuts it.
        speed_kmh: Along the ground.
    """

    id: int
    road_user: RoadUser
    box_px: Box
    rider_px: Box | None
    cycle_px: Box | None
    visible: float
    is_cut: bool
    speed_kmh: float


def frame_users(world: World, at_s: float) -> tuple[FrameUser, ...]:
    """Everybody in the frame at ``at_s``, ordered by id."""
    camera = world.camera_at(at_s)
    users = in_view(world.at(at_s), camera)
    pieces = [
        *occluders(world.config.layout, world.config.occluders),
        *signal_pieces(world.signal_heads(at_s)),
    ]
    things = [item for _, item in users] + standing(pieces, camera)
    visible = _visible_shares(things, len(users), camera)
    found = []
    for (user, item), share in zip(users, visible, strict=True):
        box = item.box(camera)
        if box is None:
            continue
        ridden = user.road_user.is_ridden
        found.append(
            FrameUser(
                id=user.id,
                road_user=user.road_user,
                box_px=box,
                rider_px=item.part_box(camera, rider=True) if ridden else None,
                cycle_px=item.part_box(camera, rider=False) if ridden else None,
                visible=share,
                is_cut=_is_cut(box, camera),
                speed_kmh=user.speed_mps * 3.6,
            )
        )
    return tuple(found)


def _visible_shares(things: list[PlacedMesh], users: int, camera: PinholeCamera) -> list[float]:
    """Painter's algorithm on numbers instead of colours (at most 255 things in view)."""
    size = (camera.height_px, camera.width_px)
    front = np.zeros(size, dtype=np.uint8)
    whole = []
    for i in range(users):
        alone = np.zeros(size, dtype=np.uint8)
        paint_mask(alone, things[i], camera, 1)
        whole.append(int(np.count_nonzero(alone)))
    for i in far_to_near(things, camera):
        paint_mask(front, things[i], camera, min(i + 1, 255))
    seen = np.bincount(front.reshape(-1), minlength=256)
    return [float(seen[min(i + 1, 255)]) / whole[i] if whole[i] else 0.0 for i in range(users)]


def _is_cut(box: Box, camera: PinholeCamera) -> bool:
    return box.x1 <= 0 or box.y1 <= 0 or box.x2 >= camera.width_px or box.y2 >= camera.height_px
