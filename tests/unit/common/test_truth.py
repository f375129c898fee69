from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import ConfigError
from common.geometry import Direction
from common.road_users import RoadUser
from common.truth import (
    CountedEvent,
    TrueEvent,
    TrueLine,
    Truth,
    compare,
    geh,
    load_truth,
    totals,
)

CAR, TRUCK = RoadUser.CAR, RoadUser.TRUCK
RIGHT, LEFT = Direction.RIGHT, Direction.LEFT


def true(time_s: float, road_user: RoadUser = CAR, *, sure: bool = True) -> TrueEvent:
    return TrueEvent.model_validate(
        {"time_s": time_s, "class": road_user, "direction": RIGHT, "sure": sure}
    )


def counted(time_s: float, road_user: RoadUser = CAR, direction: Direction = RIGHT) -> CountedEvent:
    return CountedEvent(section="a", direction=direction, road_user=road_user, time_s=time_s)


def truth(*events: TrueEvent) -> Truth:
    line = TrueLine(name="a", p1=(0, 50), p2=(100, 50), events=events)
    return Truth(width=100, height=80, lines=(line,))


@pytest.mark.unit
@pytest.mark.parametrize(
    ("ours", "missed", "false", "wrong"),
    [
        pytest.param([counted(1.0), counted(5.0)], 0, 0, 0, id="both found"),
        pytest.param([counted(1.9), counted(4.1)], 0, 0, 0, id="within a second"),
        pytest.param([counted(1.0)], 1, 0, 0, id="one missed"),
        pytest.param([counted(1.0), counted(3.0)], 1, 1, 0, id="net error zero, two faults"),
        pytest.param([counted(1.0), counted(5.0), counted(5.2)], 0, 1, 0, id="counted twice"),
        pytest.param([counted(1.0, TRUCK), counted(5.0)], 0, 0, 1, id="wrong class"),
        pytest.param([counted(1.0, direction=LEFT), counted(5.0)], 1, 1, 0, id="wrong way"),
    ],
)
def test_faults_are_counted_separately(
    ours: list[CountedEvent], missed: int, false: int, wrong: int
) -> None:
    total = totals(compare(ours, truth(true(1.0), true(5.0)), duration_s=10))

    assert (total["missed"], total["false"], total["wrong_class"]) == (missed, false, wrong)


@pytest.mark.unit
def test_two_at_the_same_moment_are_matched_by_class() -> None:
    rows = compare(
        [counted(1.0, TRUCK), counted(1.1, CAR)],
        truth(true(1.0, CAR), true(1.1, TRUCK)),
        duration_s=10,
    )

    assert totals(rows)["wrong_class"] == 0


@pytest.mark.unit
@pytest.mark.parametrize("ours", [[], [counted(2.0)]], ids=["not counted", "counted"])
def test_an_event_that_nobody_is_sure_of_may_be_counted_or_not(ours: list[CountedEvent]) -> None:
    total = totals(compare(ours, truth(true(2.0, sure=False)), duration_s=10))

    assert (total["true"], total["missed"], total["false"]) == (0, 0, 0)


@pytest.mark.unit
def test_geh_compares_hourly_flows() -> None:
    # 10 and 20 in six minutes are 100 and 200 an hour: sqrt(2 * 100^2 / 300).
    assert geh(10, 20, duration_s=360) == pytest.approx(8.165, abs=0.001)
    assert geh(0, 0, duration_s=360) == 0


@pytest.mark.unit
def test_a_truth_file_gives_a_camera_with_its_lines() -> None:
    camera = truth(true(1.0)).camera("cam")

    assert camera.frame_size == (100, 80)
    assert [section.line for section in camera.sections] == [((0, 50), (100, 50))]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "truth.json: ", id="not JSON"),
        pytest.param(json.dumps({"width": 10, "height": 10}), "lines is missing", id="no lines"),
    ],
)
def test_a_broken_truth_file_is_explained(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(content)

    with pytest.raises(ConfigError, match=message):
        load_truth(path)


@pytest.mark.unit
def test_a_missing_truth_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json cannot be read: No such file"):
        load_truth(tmp_path / "none.json")
