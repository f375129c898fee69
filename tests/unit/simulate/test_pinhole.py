"""World → pixels and back."""

from __future__ import annotations

import numpy as np
import pytest

from common.geometry import Point
from edge.simulate.config import LayoutKind, SceneConfig
from edge.simulate.layouts import build_layout
from edge.simulate.pinhole import PinholeCamera
from edge.simulate.site_camera import scene_camera

pytestmark = pytest.mark.unit

NORTHWARD = PinholeCamera(
    east_m=0.0,
    north_m=0.0,
    height_m=5.0,
    yaw_rad=np.pi / 2,
    pitch_rad=0.0,
    focal_px=1000.0,
    width_px=1280,
    height_px=720,
)


@pytest.mark.parametrize(
    ("world", "pixel"),
    [
        pytest.param((0.0, 50.0, 5.0), (640.0, 360.0), id="level ahead is the middle"),
        pytest.param((0.0, 50.0, 0.0), (640.0, 460.0), id="5 m lower at 50 m is 100 px lower"),
        pytest.param((10.0, 50.0, 5.0), (840.0, 360.0), id="10 m east at 50 m is 200 px right"),
    ],
)
def test_projection_follows_similar_triangles(
    world: tuple[float, float, float], pixel: tuple[float, float]
) -> None:
    assert NORTHWARD.pixel(*world) == pytest.approx(pixel)


def test_a_point_behind_the_lens_has_no_pixel() -> None:
    with pytest.raises(ValueError, match="behind the camera"):
        NORTHWARD.pixel(0.0, -1.0)


def test_ground_points_come_back_from_their_pixels() -> None:
    camera = build_layout(SceneConfig()).camera

    back = camera.to_ground(camera.pixel(3.5, -9.0))

    assert back == pytest.approx((3.5, -9.0))


@pytest.mark.parametrize("layout", list(LayoutKind))
def test_the_calibration_of_the_site_file_is_exact(layout: LayoutKind) -> None:
    config = SceneConfig(layout=layout, width_px=960, height_px=540)
    calibration = scene_camera(config).calibration
    assert calibration is not None
    pixel = build_layout(config).camera.pixel(1.0, 30.0)

    plane = calibration.ground_plane

    assert plane.residual_m < 1e-6
    assert plane.to_ground(pixel) == pytest.approx(Point(1.0, 30.0), abs=1e-6)


@pytest.mark.parametrize("layout", list(LayoutKind))
@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (800, 600)])
def test_every_counting_line_lies_well_inside_the_frame(
    layout: LayoutKind, size: tuple[int, int]
) -> None:
    config = SceneConfig(layout=layout, width_px=size[0], height_px=size[1])

    camera = scene_camera(config)

    assert len(camera.flows) == (2 if layout is LayoutKind.ROAD else 12)
    for section in camera.sections:
        assert section.segment is not None
        assert section.segment.length > 0.03 * size[0]
        for x, y in section.points:
            assert 0 < x < size[0]
            assert 0 < y < size[1]
