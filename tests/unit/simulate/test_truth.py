"""Crossings are exact, checked on scenes small enough to work out by hand."""

from __future__ import annotations

import pytest

from common.geometry import Direction, Point
from common.road_users import RoadUser
from common.site import Camera, Section
from edge.simulate.config import LayoutKind, SceneConfig, Trip, Waypoint
from edge.simulate.truth import CrossingWatch, scene_truth, watch_crossings
from edge.simulate.world import World

pytestmark = pytest.mark.unit


def _drive(road_user: RoadUser, *points: tuple[float, float, float]) -> Trip:
    return Trip(
        road_user=road_user,
        waypoints=tuple(Waypoint(at_s=t, east_m=e, north_m=n) for t, e, n in points),
    )


def _road(*trips: Trip) -> SceneConfig:
    return SceneConfig(layout=LayoutKind.ROAD, duration_s=20.0, trips=trips)


def test_a_car_that_drives_through_crosses_both_lines_at_its_own_speed() -> None:
    # 10 m/s from north 5 m to 55 m; from behind, the foot is the rear bumper 2.05 to 2.3 m back.
    config = _road(_drive(RoadUser.CAR, (1.0, 1.75, 5.0), (6.0, 1.75, 55.0)))

    near, far = watch_crossings(config)

    assert (near.section, far.section) == ("near", "far")
    assert near.direction is far.direction is Direction.LEFT
    assert near.at_s == pytest.approx(1.0 + (19.0 - 5.0 + 2.27) / 10, abs=0.1)
    assert far.at_s - near.at_s == pytest.approx((31.0 - 19.0) / 10, abs=0.05)
    assert near.speed_kmh == pytest.approx(36.0)


def test_towards_the_camera_is_to_the_right_of_a_line_drawn_from_left_to_right() -> None:
    config = _road(_drive(RoadUser.BUS, (1.0, -1.75, 55.0), (6.0, -1.75, 5.0)))

    directions = [(c.section, c.direction, c.road_user) for c in watch_crossings(config)]

    assert directions == [
        ("far", Direction.RIGHT, RoadUser.BUS),
        ("near", Direction.RIGHT, RoadUser.BUS),
    ]


@pytest.mark.parametrize(
    ("trip", "sections"),
    [
        pytest.param(
            _drive(RoadUser.CAR, (1, 1.75, 5), (3, 1.75, 15), (9, 1.75, 15.1)), [], id="stops short"
        ),
        pytest.param(
            _drive(RoadUser.CAR, (0, 1.75, 5), (3, 1.75, 24), (9, 1.75, 24.0), (12, 1.75, 45)),
            ["near", "far"],
            id="stops between the lines",
        ),
        pytest.param(
            _drive(RoadUser.MOTORCYCLE, (0, 1.75, 5), (3, 1.75, 40)),
            ["near", "far"],
            id="rider counts once",
        ),
        pytest.param(
            _drive(RoadUser.PERSON, (0, 9.0, 15), (12, 9.0, 35)), ["footpath"], id="walks"
        ),
        pytest.param(
            _drive(RoadUser.PERSON, (0, 13.0, 15), (12, 13.0, 35)), [], id="passes beside"
        ),
    ],
)
def test_each_passage_counts_once(trip: Trip, sections: list[str]) -> None:
    crossings = list(watch_crossings(_road(trip)))

    assert [c.section for c in crossings] == sections


def test_a_u_turn_beyond_the_line_counts_both_ways() -> None:
    config = _road(_drive(RoadUser.CAR, (0, 1.75, 8), (3, 1.75, 26), (5, -1.75, 27), (9, -1.75, 8)))

    near = [(c.direction, c.user_id) for c in watch_crossings(config) if c.section == "near"]

    assert near == [(Direction.LEFT, 1), (Direction.RIGHT, 1)]


LEVEL = Camera(
    id="level",
    frame_size=(100, 100),
    sections=(Section(name="line", line=((0.0, 50.0), (100.0, 50.0))),),
)


@pytest.mark.parametrize(
    ("heights", "events"),
    [
        pytest.param([40, 48, 52, 60], [("right", 0.15)], id="down over it"),
        pytest.param([60, 52, 48, 40], [("left", 0.15)], id="up over it"),
        pytest.param([40, 50, 60], [("right", 0.1)], id="through a point on the line"),
        pytest.param([40, 50, 50, 40], [], id="touches it"),
        pytest.param([40, 49, 51, 49, 40], [], id="sways over it and back"),
        pytest.param([40, 49, 51, 49, 51, 60], [("right", 0.35)], id="sways and goes"),
    ],
)
def test_the_foot_point_decides(heights: list[float], events: list[tuple[str, float]]) -> None:
    watch = CrossingWatch(LEVEL)

    found = []
    for step, y in enumerate(heights):
        user = (1, RoadUser.CAR, 36.0, Point(30.0, float(y)))
        found += list(watch.see(step * 0.1, [user]))
    found += list(watch.finish())

    assert [(str(c.direction), round(c.at_s, 3)) for c in found] == events


def test_truth_has_the_shape_of_hand_counted_files() -> None:
    config = _road(_drive(RoadUser.TRUCK, (1.0, 1.75, 5.0), (6.0, 1.75, 55.0)))

    truth = scene_truth(config)

    assert (truth["width"], truth["height"], truth["frames"]) == (1280, 720, 300)
    assert [line["name"] for line in truth["lines"]] == ["near", "far", "footpath"]
    (event,) = truth["lines"][0]["events"]
    assert (event["class"], event["direction"], event["sure"]) == ("truck", "left", True)
    assert [(f["name"], f["movement"]) for f in truth["flows"]] == [("northbound", "thru")]


def test_truth_is_the_same_for_the_same_seed_and_differs_for_another() -> None:
    first, again, other = (
        scene_truth(SceneConfig(layout=LayoutKind.ROAD, seed=seed, duration_s=60.0))
        for seed in (1, 1, 2)
    )

    assert first == again
    assert first["lines"] != other["lines"]
    assert sum(line["total"] for line in first["lines"]) > 5


def test_truth_does_not_depend_on_the_frame_rate() -> None:
    totals = []
    for fps in (5.0, 25.0):
        config = SceneConfig(layout=LayoutKind.ROAD, seed=1, duration_s=60.0, fps=fps)
        totals.append([line["events"] for line in scene_truth(config)["lines"]])

    assert totals[0] == totals[1]


def test_a_scene_without_end_has_no_complete_truth() -> None:
    with pytest.raises(ValueError, match="without duration"):
        scene_truth(SceneConfig(duration_s=None))


def test_every_turning_vehicle_is_a_flow_of_its_route() -> None:
    config = SceneConfig(seed=2, duration_s=150.0, pedestrians_per_min=0)
    world = World(config)
    routes = {}
    for step in range(1500):
        world.at(step / 10)
        routes.update({v.id: v.route.name for v in world.traffic.vehicles})

    flows = [(f["name"], routes[f["user"]]) for f in scene_truth(config)["flows"]]

    assert len(flows) >= 10
    assert all(flow == route for flow, route in flows)
