"""Ground metres → pixels of one pole camera, exactly, and back for points on the road."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from common.geometry import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeCamera:
    """An ideal camera without lens distortion (Hartley & Zisserman, §6.1).

    The world has x to the east, y to the north, z up, in metres, with the road at z = 0.

    Attributes:
        east_m: Position of the lens.
        north_m: Position of the lens.
        height_m: Height of the lens above the road.
        yaw_rad: Viewing direction, anticlockwise from east.
        pitch_rad: How far the view is tilted down from level.
        focal_px: Focal length in pixels.
        width_px: Image width.
        height_px: Image height.
        shift_px: Offset of the principal point; a knocked camera moves it.
        position: Shape (3,): the lens in metres.
        axes: Shape (3, 3): unit vectors to the right, down and forward of the image, as rows.
    """

    east_m: float
    north_m: float
    height_m: float
    yaw_rad: float
    pitch_rad: float
    focal_px: float
    width_px: int
    height_px: int
    shift_px: tuple[float, float] = (0.0, 0.0)

    position: NDArray[np.float64] = field(init=False, repr=False, compare=False)
    axes: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out what every projection needs, once."""
        cos_yaw, sin_yaw = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        cos_pitch, sin_pitch = np.cos(self.pitch_rad), np.sin(self.pitch_rad)
        forward = np.array([cos_pitch * cos_yaw, cos_pitch * sin_yaw, -sin_pitch])
        right = np.array([sin_yaw, -cos_yaw, 0.0])
        axes = np.stack([right, np.cross(forward, right), forward])
        object.__setattr__(self, "position", np.array([self.east_m, self.north_m, self.height_m]))
        object.__setattr__(self, "axes", axes)

    @property
    def centre_px(self) -> tuple[float, float]:
        """Principal point."""
        return (
            self.width_px / 2 + self.shift_px[0],
            self.height_px / 2 + self.shift_px[1],
        )

    def nudged(self, shift_px: tuple[float, float]) -> PinholeCamera:
        """The same camera with its picture moved by ``shift_px``."""
        return replace(self, shift_px=shift_px)

    def project(
        self, points_m: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map points to the image.

        Args:
            points_m: Shape (n, 3), world metres.

        Returns:
            Pixels, shape (n, 2), and depth along the viewing direction in metres, shape
            (n,). Pixels of points that are not in front of the lens mean nothing.
        """
        seen = (points_m - self.position) @ self.axes.T
        depth = seen[:, 2]
        scale = self.focal_px / np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        return seen[:, :2] * scale[:, None] + self.centre_px, depth

    def pixel(self, east_m: float, north_m: float, up_m: float = 0.0) -> Point:
        """Image point of one world point.

        Raises:
            ValueError: The point is not in front of the lens.
        """
        pixels, depth = self.project(np.array([[east_m, north_m, up_m]]))
        if depth[0] <= 0:
            raise ValueError(f"({east_m}, {north_m}, {up_m}) lies behind the camera")
        return Point(float(pixels[0, 0]), float(pixels[0, 1]))

    @property
    def ground_homography(self) -> NDArray[np.float64]:
        """Shape (3, 3): homogeneous ground metres to homogeneous pixels."""
        right, down, forward = self.axes
        centre_x, centre_y = self.centre_px
        rows = np.stack(
            [
                self.focal_px * right + centre_x * forward,
                self.focal_px * down + centre_y * forward,
                forward,
            ]
        )
        shift = -rows @ self.position
        return np.column_stack([rows[:, 0], rows[:, 1], shift])

    def to_ground(self, point_px: Point) -> Point:
        """Metres on the road under an image point below the horizon."""
        x, y, w = np.linalg.solve(self.ground_homography, (point_px.x, point_px.y, 1.0))
        return Point(float(x / w), float(y / w))
