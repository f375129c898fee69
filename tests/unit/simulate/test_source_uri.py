"""Source texts → scenes, and one clear line for every mistake."""

from __future__ import annotations

import pytest

from common.errors import ConfigError
from common.road_users import RoadUser
from edge.simulate.config import LayoutKind, Light, SceneConfig, Trip, Waypoint, Weather
from edge.simulate.source_uri import is_simulated, parse_source

pytestmark = pytest.mark.unit


def test_every_key_reaches_the_scene() -> None:
    scene = parse_source(
        "simulate:junction?seed=7&light=night&weather=rain&duration=60&fps=12.5&size=640x360"
        "&vehicles=5&pedestrians=2&mix=car:3,bus:1&occluders=2&traffic_light=0&shadows=0"
        "&noise=1.5&nudge=20&pace=1&separated=1"
    )

    assert scene == SceneConfig(
        layout=LayoutKind.JUNCTION,
        seed=7,
        light=Light.NIGHT,
        weather=Weather.RAIN,
        width_px=640,
        height_px=360,
        fps=12.5,
        duration_s=60.0,
        vehicles_per_min=5.0,
        pedestrians_per_min=2.0,
        mix=((RoadUser.CAR, 3.0), (RoadUser.BUS, 1.0)),
        separated=True,
        occluders=2,
        traffic_light=False,
        shadows=False,
        noise=1.5,
        nudge_at_s=20.0,
        paced=True,
    )


def test_a_scene_without_duration_does_not_end() -> None:
    scene = parse_source("simulate:road")

    assert (scene.duration_s, scene.frames) == (None, None)


def test_riders_can_be_left_out() -> None:
    scene = parse_source("simulate:road?riders=0")

    assert {kind for kind, _ in scene.mix} == {RoadUser.CAR, RoadUser.TRUCK, RoadUser.BUS}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param("rtsp://camera", "does not start with simulate:", id="other scheme"),
        pytest.param("simulate:moon", "layout is 'moon', expected one of road", id="layout"),
        pytest.param("simulate:road?sed=1", "'sed' is not a known key", id="unknown key"),
        pytest.param("simulate:road?seed=x", "seed is 'x', expected a whole number", id="seed"),
        pytest.param("simulate:road?light=noon", "light is 'noon', expected one of", id="light"),
        pytest.param("simulate:road?size=1280", "size is '1280', expected width", id="size"),
        pytest.param("simulate:road?size=99x10", "width_px is 99, expected 160", id="too small"),
        pytest.param("simulate:road?fps=0", "fps is 0, expected 0.5 to 120", id="no fps"),
        pytest.param("simulate:road?fps=nan", "fps is 'nan', expected a number", id="not a number"),
        pytest.param("simulate:road?duration=-1", "duration is '-1'", id="negative"),
        pytest.param("simulate:road?duration=", "duration is ''", id="empty"),
        pytest.param("simulate:road?pace=2", "pace is '2', expected 0 or 1", id="flag"),
        pytest.param("simulate:road?riders=no", "riders is 'no', expected 0 or 1", id="riders"),
        pytest.param(
            "simulate:road?occluders=4", "occluders is 4, expected 0 to 3", id="occluders"
        ),
        pytest.param("simulate:road?mix=tram:1", "mix is 'tram:1', expected", id="unknown class"),
        pytest.param("simulate:road?mix=car:0", "at least one share above 0", id="empty mix"),
        pytest.param(
            "simulate:road?mix=person:1", "mix is 'person:1'", id="people are no vehicles"
        ),
    ],
)
def test_a_mistake_names_key_value_and_expectation(source: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_source(source)

    assert says in str(caught.value)
    assert "simulate:junction?seed=7" in caught.value.hint


@pytest.mark.parametrize(
    ("source", "simulated"),
    [("simulate:road", True), ("clip.mp4", False), ("rtsp://10.0.0.5/s", False)],
)
def test_simulated_sources_are_told_apart(source: str, *, simulated: bool) -> None:
    assert is_simulated(source) is simulated


def test_a_trip_that_goes_back_in_time_is_refused() -> None:
    points = (
        Waypoint(at_s=2.0, east_m=0.0, north_m=0.0),
        Waypoint(at_s=1.0, east_m=0.0, north_m=9.0),
    )

    with pytest.raises(ValueError, match="rising times"):
        Trip(road_user=RoadUser.CAR, waypoints=points)
