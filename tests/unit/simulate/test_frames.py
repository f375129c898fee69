"""Frames are deterministic, carry their own clock, and show what the truth says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from common.road_users import ROAD_USERS, RoadUser
from edge.capture.frames import FrameSource
from edge.simulate.config import LayoutKind, Light, SceneConfig, Trip, Waypoint, Weather
from edge.simulate.frame_truth import frame_users
from edge.simulate.labels import labels_of, write_labelled_frames
from edge.simulate.lighting import scene_lighting
from edge.simulate.painter import paint
from edge.simulate.source import SimulatedSource
from edge.simulate.world import UserState, World

pytestmark = pytest.mark.unit

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SMALL = SceneConfig(layout=LayoutKind.ROAD, width_px=320, height_px=180, duration_s=2.0, fps=5.0)


def _parked(road_user: RoadUser, east_m: float, north_m: float, variant: int = 0) -> Trip:
    stay = tuple(Waypoint(at_s=t, east_m=east_m, north_m=north_m) for t in (0.0, 60.0))
    return Trip(road_user=road_user, waypoints=stay, heading_deg=90.0, variant=variant)


@pytest.mark.parametrize(
    ("light", "weather"),
    [(Light.DAY, Weather.CLEAR), (Light.DUSK, Weather.CLEAR), (Light.NIGHT, Weather.RAIN)],
)
def test_the_same_seed_gives_the_same_pixels(light: Light, weather: Weather) -> None:
    trip = _parked(RoadUser.CAR, 1.75, 20.0)
    config = replace(SMALL, light=light, weather=weather, trips=(trip,), occluders=1)

    first, again = (
        [frame.image for frame in SimulatedSource(config, started_at=START).frames()]
        for _ in range(2)
    )

    assert len(first) == 10
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])


def test_frames_carry_the_clock_of_the_scene() -> None:
    source: FrameSource = SimulatedSource(SMALL, camera_id="cam-1", started_at=START)

    frames = list(source.frames())

    assert (source.native_size, source.expected_frames, source.is_live) == ((320, 180), 10, False)
    assert [frame.captured_s for frame in frames[:3]] == [0.0, 0.2, 0.4]
    assert frames[5].captured_at == START + timedelta(seconds=1)
    assert frames[5].camera_id == "cam-1"
    assert frames[0].image.shape == (180, 320, 3)
    assert frames[0].image.dtype == np.uint8


def test_a_closed_source_stops() -> None:
    source = SimulatedSource(replace(SMALL, duration_s=None), started_at=START)
    frames = source.frames()
    next(frames)

    source.close()
    source.close()

    assert list(frames) == []


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        SimulatedSource(SMALL, started_at=datetime(2026, 3, 1))  # noqa: DTZ001


@pytest.mark.parametrize("road_user", list(RoadUser))
@pytest.mark.parametrize("heading", [0.0, 0.7, 1.6, 3.0, 4.5])
def test_the_box_is_tight_around_the_pixels(road_user: RoadUser, heading: float) -> None:
    world = World(SceneConfig(layout=LayoutKind.ROAD))
    camera = world.camera_at(0.0)
    user = UserState(
        id=1,
        road_user=road_user,
        variant=0,
        east_m=1.0,
        north_m=22.0,
        heading_rad=heading,
        speed_mps=0.0,
    )
    canvas = np.zeros((720, 1280, 3), dtype=np.uint8)

    paint(canvas, user.placed(camera), camera, scene_lighting(world.config))

    rows, columns = np.nonzero(canvas.max(axis=2) > 8)
    drawn = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert user.box(camera) == pytest.approx(drawn, abs=2.2)  # edges are smoothed outwards


def test_a_lorry_in_front_hides_the_car_behind_it() -> None:
    camera_side, behind = _parked(RoadUser.TRUCK, -1.75, 16.0), _parked(RoadUser.CAR, 0.9, 24.5)
    config = SceneConfig(layout=LayoutKind.ROAD, trips=(camera_side, behind))

    lorry, car = frame_users(World(config), 1.0)

    assert lorry.visible > 0.97
    assert car.visible < 0.6


def test_a_pole_and_a_board_hide_part_of_the_road() -> None:
    trips = tuple(_parked(RoadUser.CAR, 1.75, north) for north in (18.0, 31.0))
    config = SceneConfig(layout=LayoutKind.ROAD, trips=trips)

    free, hidden = (frame_users(World(replace(config, occluders=count)), 1.0) for count in (0, 3))

    assert [user.visible > 0.97 for user in free] == [True, True]
    assert [user.visible < 0.9 for user in hidden] == [True, True]


def test_a_nudge_moves_the_whole_picture() -> None:
    config = SceneConfig(
        layout=LayoutKind.ROAD, nudge_at_s=1.0, trips=(_parked(RoadUser.CAR, 1.75, 20.0),)
    )
    world = World(config)

    before, after = (frame_users(world, t)[0].box_px for t in (0.5, 1.5))

    assert (after.x1 - before.x1, after.y2 - before.y2) == pytest.approx(config.nudge_px)


def test_a_rider_is_one_road_user_and_two_boxes_for_a_detector() -> None:
    config = SceneConfig(layout=LayoutKind.ROAD, trips=(_parked(RoadUser.BICYCLE, 1.75, 20.0),))

    (user,) = frame_users(World(config), 1.0)
    labels = dict(labels_of(user))

    assert user.road_user is RoadUser.BICYCLE
    assert set(labels) == {RoadUser.PERSON, RoadUser.BICYCLE}
    assert labels[RoadUser.PERSON].y2 < labels[RoadUser.BICYCLE].y2
    assert labels[RoadUser.PERSON].y1 == pytest.approx(user.box_px.y1)


def test_labelled_frames_agree_with_the_truth(tmp_path: Path) -> None:
    trips = (_parked(RoadUser.CAR, 1.75, 20.0), _parked(RoadUser.PERSON, 8.5, 22.0))
    config = SceneConfig(layout=LayoutKind.ROAD, width_px=640, height_px=360, trips=trips)

    written = write_labelled_frames(config, tmp_path, frames=2, start_s=1.0, every_s=1.0)

    names = yaml.safe_load((tmp_path / "data.yaml").read_text())["names"]
    images = sorted((tmp_path / "images").glob("*.jpg"))
    labels = sorted((tmp_path / "labels").glob("*.txt"))
    assert written == 4
    assert [names[i] for i in range(6)] == [str(r) for r in ROAD_USERS]
    assert [p.stem for p in images] == [p.stem for p in labels]
    picture = cv2.imread(str(images[0]))
    assert picture is not None
    assert picture.shape == (360, 640, 3)
    expected = {u.road_user: u.box_px for u in frame_users(World(config), 1.0)}
    for line in labels[0].read_text().splitlines():
        number, x, y, w, h = (float(v) for v in line.split())
        box = expected[ROAD_USERS[int(number)]]
        assert ((x - w / 2) * 640, (y + h / 2) * 360) == pytest.approx((box.x1, box.y2), abs=0.01)


def test_far_and_hidden_road_users_are_not_labelled(tmp_path: Path) -> None:
    trips = (
        _parked(RoadUser.BUS, -1.75, 16.0),
        _parked(RoadUser.PERSON, -1.0, 24.5),
        _parked(RoadUser.PERSON, 8.5, 400.0),
    )
    config = SceneConfig(layout=LayoutKind.ROAD, width_px=640, height_px=360, trips=trips)

    written = write_labelled_frames(config, tmp_path, frames=1, start_s=1.0)

    assert written == 1
