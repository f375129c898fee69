"""Noise covers every number that a single road user could change; the rest does not leave."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from common.messages import CameraBin
from common.wire import ClockState, PrivacyMode
from edge.anonymise.budget import Draw, NoiseWish, geometric
from edge.anonymise.geometric import GeometricMechanism
from edge.anonymise.noise import noised
from edge.anonymise.settings import CameraPrivacy, NoiseSettings
from edge.anonymise.wire_bins import to_wire
from edge.anonymise.withholding import withheld
from edge.keeping.stored import StoredBin
from edge.measure.bins import AreaBin
from tests.unit.anonymise.stored_bins import cars, line, stored

pytestmark = pytest.mark.unit

SETTINGS = NoiseSettings(epsilon_per_bin=0.5, epsilon_per_day=10)

BUSY = stored(
    lines=(
        line(
            "north",
            cars(7),
            speeds=((40, 7),),
            speed_sum_kmh=300.0,
            headways=6,
            headway_sum_s=50.0,
            headway_least_s=2.0,
            time_gaps=6,
            time_gap_sum_s=40.0,
            inferred=2,
        ),
        line("south", None),
    ),
    flows={"N-S": cars(3)},
    areas=(AreaBin(section="zebra", occupied_share=0.3, queue_most=2, walks=4),),
    incidents=(("stopped_vehicle", 1),),
)


def wire(bin_: StoredBin) -> CameraBin:
    return to_wire(bin_, mode=PrivacyMode.STATISTICS, clock=ClockState.TRUSTED)


class Shift:
    """Adds the same to every count and remembers what it was asked."""

    def __init__(self, by: int) -> None:
        self.by = by
        self.wishes: list[NoiseWish] = []

    def __call__(self, wish: NoiseWish) -> Draw:
        self.wishes.append(wish)
        return Draw(counts=tuple(n + self.by for n in wish.counts), epsilon=0.5)


def test_every_count_is_noised_and_nothing_else_of_road_users_leaves() -> None:
    draw = Shift(by=10)

    bin_ = noised(wire(BUSY), SETTINGS, draw)

    north, south = bin_.sections
    assert north.counts == (10, 10, 17, 10, 10, 10)
    assert (north.speeds, north.speed_sum_kmh, north.headways, north.inferred) == ((), 0.0, 0, 0)
    assert (north.headway_sum_s, north.headway_least_s, north.time_gaps) == (0.0, None, 0)
    assert south.counts is None
    assert bin_.flows[0].counts == (10, 10, 13, 10, 10, 10)
    assert (bin_.areas[0].walks, bin_.areas[0].queue_most) == (14, None)
    assert (bin_.areas[0].occupied_share, bin_.areas[0].withheld) == (None, False)
    assert (bin_.incidents, bin_.conflicts, bin_.unassigned_share) == (None, None, None)
    assert bin_.noise_epsilon == 0.5
    assert (bin_.coverage_s, bin_.frames_seen) == (60.0, 1200)


def test_an_area_without_a_count_is_withheld_by_noise() -> None:
    queue = stored(areas=(AreaBin(section="queue", occupied_share=0.3, queue_most=2),))
    lines = stored(lines=(line("north", cars(1)),), areas=(AreaBin(section="queue"),))

    (withheld_,) = noised(wire(queue), SETTINGS, Shift(by=0)).areas
    (unwatched,) = noised(wire(lines), SETTINGS, Shift(by=0)).areas

    assert (withheld_.queue_most, withheld_.withheld) == (None, True)
    assert unwatched.withheld is False


def test_noisy_counts_below_zero_become_zero() -> None:
    bin_ = noised(wire(BUSY), SETTINGS, Shift(by=-5))

    assert bin_.sections[0].counts == (0, 0, 2, 0, 0, 0)


@pytest.mark.parametrize(
    ("cells", "sensitivity"),
    [
        pytest.param(2, 2, id="as set"),
        pytest.param(50, 3, id="never more than the bin has rows"),
    ],
)
def test_sensitivity_is_the_setting_up_to_the_worst_case(cells: int, sensitivity: int) -> None:
    draw = Shift(by=0)

    noised(wire(BUSY), SETTINGS.model_copy(update={"cells_per_road_user": cells}), draw)

    # One watched line, one flow, one crosswalk.
    assert draw.wishes[0].sensitivity == sensitivity


def test_a_spent_budget_withholds_every_count_and_says_so() -> None:
    bin_ = noised(wire(BUSY), SETTINGS, lambda _: None)

    assert bin_.flags == ("budget_spent",)
    assert all(row.counts is None and row.withheld for row in bin_.sections)
    assert all(row.counts is None and row.withheld for row in bin_.flows)
    assert all(row.walks is None and row.withheld for row in bin_.areas)
    assert (bin_.noise_epsilon, bin_.incidents) == (None, None)


def test_an_unwatched_bin_costs_nothing_and_is_not_marked_withheld() -> None:
    draw = Shift(by=0)

    bin_ = noised(wire(stored(lines=(line("north", cars(1)),), coverage_s=0.0)), SETTINGS, draw)

    assert draw.wishes == []
    assert (bin_.sections[0].counts, bin_.sections[0].withheld) == (None, False)


def test_small_noisy_counts_can_be_withheld_too() -> None:
    noisy = noised(wire(BUSY), SETTINGS, Shift(by=-5))

    bin_ = withheld(noisy, below=5, relations=())

    assert bin_.sections[0].withheld
    assert (bin_.areas[0].walks, bin_.areas[0].withheld) == (0, False)


@pytest.mark.parametrize(
    ("epsilon", "sensitivity"),
    [
        pytest.param(1.0, 1, id="one cell"),
        pytest.param(0.5, 3, id="three cells"),
        pytest.param(0.1, 3, id="does not divide evenly"),
    ],
)
def test_the_library_proves_the_privacy_loss_that_was_asked_for(
    epsilon: float, sensitivity: int
) -> None:
    mechanism = GeometricMechanism(epsilon=epsilon, sensitivity=sensitivity)

    assert mechanism.epsilon == pytest.approx(epsilon, rel=1e-9)


def test_noise_has_the_two_sided_geometric_distribution() -> None:
    draws = 40_000
    mechanism = GeometricMechanism(epsilon=math.log(2), sensitivity=1)

    seen = Counter(mechanism.add([100] * draws))

    # P(z) = (1 - a) / (1 + a) * a^|z| with a = exp(-epsilon) = 1/2: 1/3, 1/6 and 1/12.
    # Six standard deviations of a share of 40,000 are below 0.015.
    for noise, share in ((0, 1 / 3), (1, 1 / 6), (-1, 1 / 6), (2, 1 / 12), (-2, 1 / 12)):
        assert seen[100 + noise] / draws == pytest.approx(share, abs=0.015)


def test_two_wishes_get_two_draws() -> None:
    wish = NoiseWish(counts=(100,) * 50, sensitivity=3, settings=SETTINGS)

    assert geometric(wish).counts != geometric(wish).counts


def test_the_default_camera_has_no_noise() -> None:
    assert CameraPrivacy().noise is None
