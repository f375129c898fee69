"""Speeds on the ground plane: right, with an honest error, or withheld with a reason."""

from __future__ import annotations

import pytest

from common.geometry import GroundPlane, Point
from common.road_users import RoadUser
from common.site import Section
from edge.measure.crossings import CountCrossings
from edge.measure.events import Crossing, Speed, Withheld
from edge.measure.speed import FASTEST_KMH, SpeedSample, judge, on_ground, section_speed
from edge.measure.statistics import histogram, percentile, percentile_of_histogram, v85
from tests.fakes.road import Mover, Road, route, ticks

pytestmark = pytest.mark.unit

# Ten pixels are one metre everywhere.
FLAT = GroundPlane.fit(
    [Point(0, 0), Point(100, 0), Point(100, 100), Point(0, 100)],
    [Point(0, 0), Point(10, 0), Point(10, 10), Point(0, 10)],
)
# Seen from a pole: 40 m away the road is a quarter as wide as at the near edge.
TILTED = GroundPlane.fit(
    [Point(240, 100), Point(400, 100), Point(640, 480), Point(0, 480)],
    [Point(0, 40), Point(8, 40), Point(8, 0), Point(0, 0)],
)
LINE = Section(name="line", line=((100, 300), (500, 300)))


def crossed(mover: Mover, plane: GroundPlane, *, until_s: float = 4, seed: int = 1) -> Crossing:
    counter = CountCrossings([LINE], plane)
    frames = Road([mover], seed=seed).frames(ticks(until_s))
    crossings = [c for frame in frames for c in counter.update(frame)] + counter.finish()
    (crossing,) = crossings
    return crossing


@pytest.mark.parametrize("seed", range(5))
def test_a_spot_speed_is_right_within_its_error(seed: int) -> None:
    # 100 px/s at 10 px/m are 10 m/s.
    crossing = crossed(Mover(id=1, foot=route((0, 300, 100), (4, 300, 500))), FLAT, seed=seed)

    assert crossing.speed is not None
    assert crossing.speed.kmh == pytest.approx(36.0, abs=3 * crossing.speed.error_kmh)
    assert 0.2 < crossing.speed.error_kmh < 5


def test_perspective_is_taken_out() -> None:
    def foot(at_s: float) -> tuple[float, float]:
        # 10 m/s towards the camera along the middle of the road, from 40 m away.
        away_m = 40 - 10 * at_s
        low, high = 0.0, 480.0
        for _ in range(40):
            middle = (low + high) / 2
            ground = on_ground(TILTED, Point(320, middle))
            is_far = ground is None or ground.y > away_m
            low, high = (middle, high) if is_far else (low, middle)
        return 320, low

    crossing = crossed(Mover(id=1, foot=foot, jitter=0.0), TILTED, until_s=3.9)

    assert crossing.speed is not None
    assert crossing.speed.kmh == pytest.approx(36.0, abs=0.5)


def test_without_a_calibration_there_is_no_speed_and_no_reason() -> None:
    counter = CountCrossings([LINE])
    frames = Road([Mover(id=1, foot=route((0, 300, 200), (2, 300, 400)))]).frames(ticks(2))

    crossings = [c for frame in frames for c in counter.update(frame)] + counter.finish()

    assert [(c.speed, c.speed_withheld) for c in crossings] == [(None, None)]


def test_a_speed_of_1536_kmh_is_never_published() -> None:
    # Public bug: an id that jumps to another car gives 1,536 km/h.
    assert judge(Speed(kmh=1536, error_kmh=10), RoadUser.CAR) == (None, Withheld.IMPOSSIBLE)


def test_a_path_that_jumps_gives_no_speed() -> None:
    jump = route((0, 300, 100), (1.9, 300, 120), (2.02, 300, 480), (4, 300, 500))

    crossing = crossed(Mover(id=1, foot=jump), FLAT)

    assert crossing.speed is None or crossing.speed.kmh < FASTEST_KMH[RoadUser.CAR]


@pytest.mark.parametrize(
    ("speed", "user", "expected"),
    [
        pytest.param(Speed(kmh=50, error_kmh=3), RoadUser.CAR, None, id="plausible"),
        pytest.param(Speed(kmh=50, error_kmh=3), RoadUser.PERSON, Withheld.IMPOSSIBLE, id="runner"),
        pytest.param(
            Speed(kmh=float("nan"), error_kmh=3), RoadUser.CAR, Withheld.IMPOSSIBLE, id="no number"
        ),
        pytest.param(
            Speed(kmh=20, error_kmh=9), RoadUser.CAR, Withheld.TOO_UNCERTAIN, id="mostly error"
        ),
        pytest.param(Speed(kmh=100, error_kmh=20), RoadUser.CAR, None, id="fast and far away"),
    ],
)
def test_a_speed_is_published_only_when_it_can_be_true(
    speed: Speed, user: RoadUser, expected: Withheld | None
) -> None:
    published, withheld = judge(speed, user)

    assert withheld is expected
    assert (published is None) == (expected is not None)


def test_one_point_beside_the_line_is_too_few_for_a_speed() -> None:
    seldom = Mover(id=1, foot=route((0, 300, 100), (4, 300, 500)), hidden=((1.8, 2.9),))

    crossing = crossed(seldom, FLAT)

    assert crossing.speed is not None or crossing.speed_withheld is Withheld.TOO_FEW_POINTS


def test_section_speed_is_distance_over_time_with_both_errors() -> None:
    sample = section_speed((Point(100, 100), 10.0), (Point(100, 500), 14.0), FLAT, error_px=5.0)

    assert sample is not None
    assert sample.distance_m == pytest.approx(40)
    assert sample.speed_kmh == pytest.approx(36)
    # Two feet, each half a metre off: 0.71 m of 40 m.
    assert sample.error_kmh == pytest.approx(36 * 0.7071 / 40, rel=0.01)


@pytest.mark.parametrize(("distance_m", "elapsed_s"), [(0.0, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_no_speed_comes_from_no_way_or_no_time(distance_m: float, elapsed_s: float) -> None:
    with pytest.raises(ValueError, match="no speed from"):
        SpeedSample(distance_m=distance_m, elapsed_s=elapsed_s)


def test_a_foot_above_the_horizon_has_no_place_on_the_ground() -> None:
    assert on_ground(TILTED, Point(320, -200)) is None
    assert on_ground(TILTED, Point(320, 400)) is not None


def test_v85_lies_between_the_slowest_and_the_fastest() -> None:
    speeds = [float(v) for v in range(30, 71)]

    assert v85(speeds) == pytest.approx(64.0)
    assert v85([]) is None
    assert v85([41.5]) == 41.5


def test_histogram_classes_are_five_kmh_wide() -> None:
    assert histogram([0, 4.9, 5, 52]) == {0: 2, 5: 1, 50: 1}


def test_a_percentile_of_classes_is_interpolated() -> None:
    assert percentile_of_histogram({40: 10, 50: 10}, 75) == pytest.approx(52.5)
    assert percentile_of_histogram({}, 85) is None


def test_a_percentile_beyond_a_hundred_is_refused() -> None:
    with pytest.raises(ValueError, match="percentile 101"):
        percentile([1.0], 101)
