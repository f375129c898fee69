from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.geometry import Box, GroundPlane, Point, Polygon, Segment

pytestmark = pytest.mark.unit

COORDINATES = st.floats(-2000, 2000, allow_nan=False)
POINTS = st.builds(Point, COORDINATES, COORDINATES)

# A road 20 m wide and 40 m long, 10 px to the metre, seen from straight above.
FLAT_PX = [Point(0, 0), Point(200, 0), Point(200, 400), Point(0, 400)]
FLAT_M = [Point(0, 0), Point(20, 0), Point(20, 40), Point(0, 40)]


def test_a_box_stands_on_the_middle_of_its_lower_edge() -> None:
    box = Box(10, 20, 30, 60)

    assert box.foot == Point(20, 60)
    assert box.centre == Point(20, 40)
    assert (box.width, box.height, box.area) == (20, 40, 800)


@pytest.mark.parametrize(
    ("point", "distance_px"),
    [
        pytest.param(Point(50, 30), 30, id="below a line to the right is the walker's right"),
        pytest.param(Point(50, -30), -30, id="above it is the walker's left"),
        pytest.param(Point(50, 0), 0, id="on the line"),
        pytest.param(Point(500, 30), 30, id="the line is endless"),
    ],
)
def test_the_right_hand_side_of_the_walker_is_positive(point: Point, distance_px: float) -> None:
    assert Segment(Point(0, 0), Point(100, 0)).signed_distance(point) == distance_px


def test_the_right_hand_of_somebody_who_walks_up_the_image_is_at_larger_x() -> None:
    upwards = Segment(Point(100, 400), Point(100, 0))

    assert upwards.signed_distance(Point(130, 200)) == 30


@given(start=POINTS, end=POINTS, point=POINTS)
def test_walking_back_swaps_the_hands(start: Point, end: Point, point: Point) -> None:
    assume(math.dist(start, end) > 1)

    there = Segment(start, end).signed_distance(point)
    back = Segment(end, start).signed_distance(point)

    assert back == pytest.approx(-there, abs=1e-6)


@given(start=POINTS, end=POINTS, share=st.floats(-2, 3), offset_px=st.floats(-500, 500))
def test_distance_and_position_are_coordinates_along_the_line(
    start: Point, end: Point, share: float, offset_px: float
) -> None:
    assume(math.dist(start, end) > 1)
    line = Segment(start, end)
    dx, dy = (end.x - start.x) / line.length, (end.y - start.y) / line.length
    point = Point(
        start.x + share * (end.x - start.x) - offset_px * dy,
        start.y + share * (end.y - start.y) + offset_px * dx,
    )

    assert line.signed_distance(point) == pytest.approx(offset_px, abs=1e-6)
    assert line.position(point) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("point", "position"),
    [(Point(0, 7), 0), (Point(25, -3), 0.25), (Point(100, 0), 1), (Point(150, 0), 1.5)],
)
def test_position_is_zero_at_the_start_and_one_at_the_end(point: Point, position: float) -> None:
    assert Segment(Point(0, 0), Point(100, 0)).position(point) == position


def test_a_line_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"two different points, both are \(3, 4\)"):
        Segment(Point(3, 4), Point(3, 4))


L_SHAPE = Polygon(
    (Point(0, 0), Point(40, 0), Point(40, 10), Point(10, 10), Point(10, 40), Point(0, 40))
)


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        pytest.param(Point(5, 30), True, id="in the upright"),
        pytest.param(Point(30, 5), True, id="in the foot"),
        pytest.param(Point(30, 30), False, id="in the notch"),
        pytest.param(Point(-1, 5), False, id="left of it"),
        pytest.param(Point(5, 41), False, id="below it"),
    ],
)
def test_an_area_knows_its_inside(point: Point, inside: bool) -> None:
    assert L_SHAPE.contains(point) is inside


def test_an_area_is_as_large_as_its_rectangles() -> None:
    assert L_SHAPE.area == 40 * 10 + 10 * 30


@given(point=POINTS, turn=st.integers(0, 5), mirrored=st.booleans())
def test_an_area_is_the_same_from_whichever_corner_it_is_drawn(
    point: Point, turn: int, mirrored: bool
) -> None:
    corners = L_SHAPE.corners[turn:] + L_SHAPE.corners[:turn]
    redrawn = Polygon(corners[::-1] if mirrored else corners)

    assert redrawn.area == L_SHAPE.area
    # On the edge itself either answer is right.
    if all(min(abs(point.x - v), abs(point.y - v)) > 1e-6 for v in (0, 10, 40)):
        assert redrawn.contains(point) is L_SHAPE.contains(point)


@pytest.mark.parametrize(
    "corners",
    [
        pytest.param((Point(0, 0), Point(1, 1)), id="two corners"),
        pytest.param((Point(0, 0), Point(1, 1), Point(2, 2)), id="three in line"),
    ],
)
def test_an_area_without_an_inside_is_refused(corners: tuple[Point, ...]) -> None:
    with pytest.raises(ValueError, match="three corners not in line"):
        Polygon(corners)


def test_a_plane_seen_from_above_is_a_scale() -> None:
    plane = GroundPlane.fit(FLAT_PX, FLAT_M)

    assert plane.to_ground(Point(50, 100)) == pytest.approx((5, 10))
    assert plane.metres_per_px(Point(100, 200)) == pytest.approx((0.1, 0.1))
    assert plane.residual_m == pytest.approx(0, abs=1e-9)


@given(
    tilt=st.floats(0.0005, 0.003),
    slant=st.floats(-0.0005, 0.0005),
    scale=st.floats(0.01, 0.2),
    shift_m=st.floats(-100, 100),
    at=st.tuples(st.floats(0, 1280), st.floats(100, 720)),
)
def test_a_camera_is_recovered_from_four_surveyed_points(
    tilt: float, slant: float, scale: float, shift_m: float, at: tuple[float, float]
) -> None:
    truth = np.array([[scale, 0, shift_m], [0, scale, 3], [slant, tilt, 1]])
    points_px = [Point(100, 200), Point(1200, 220), Point(1250, 700), Point(40, 650)]

    def seen(point: Point) -> Point:
        x, y, w = truth @ (point.x, point.y, 1)
        return Point(x / w, y / w)

    plane = GroundPlane.fit(points_px, [seen(point) for point in points_px])

    assert plane.to_ground(Point(*at)) == pytest.approx(seen(Point(*at)), rel=1e-5, abs=1e-5)
    assert plane.residual_m < 1e-6


def test_the_residual_tells_how_badly_points_fit() -> None:
    points_px = [*FLAT_PX, Point(100, 200)]
    exact = GroundPlane.fit(points_px, [*FLAT_M, Point(10, 20)])
    bent = GroundPlane.fit(points_px, [*FLAT_M, Point(12, 20)])

    assert exact.residual_m < 1e-9
    assert 0.1 < bent.residual_m < 2


def test_a_horizon_through_the_first_pixel_is_no_trouble() -> None:
    # Ground (x/y, 10/y): the row y = 0 is infinitely far away.
    points_px = [Point(100, 100), Point(500, 100), Point(500, 400), Point(100, 400)]
    points_m = [Point(p.x / p.y, 1000 / p.y) for p in points_px]

    plane = GroundPlane.fit(points_px, points_m)

    assert plane.to_ground(Point(300, 200)) == pytest.approx((1.5, 5))
    assert np.isfinite(plane.matrix).all()


@pytest.mark.parametrize(
    ("points_px", "points_m", "message"),
    [
        pytest.param(FLAT_PX[:3], FLAT_M[:3], "has 3 pixel and 3 ground points", id="too few"),
        pytest.param(FLAT_PX, FLAT_M[:3], "has 4 pixel and 3 ground points", id="unequal"),
        pytest.param(
            [Point(x, x) for x in (0, 10, 20, 30)], FLAT_M, "in one line", id="pixels in one line"
        ),
        pytest.param([Point(5, 5)] * 4, FLAT_M, "in one line", id="one pixel four times"),
        pytest.param(FLAT_PX, [Point(5, 5)] * 4, "in one line", id="one place four times"),
        pytest.param(
            FLAT_PX,
            [FLAT_M[0], FLAT_M[2], FLAT_M[1], FLAT_M[3]],
            "in the same order",
            id="two points swapped",
        ),
        pytest.param(
            [Point(0, 0), Point(100, 0), Point(200, 0), Point(0, 400)],
            FLAT_M,
            "no three of four in one line",
            id="three in one line",
        ),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(
    points_px: list[Point], points_m: list[Point], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        GroundPlane.fit(points_px, points_m)
