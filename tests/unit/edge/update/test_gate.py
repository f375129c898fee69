from __future__ import annotations

import pytest

from common.release import reasons
from common.release.calibration import FrameBoxes, frame_boxes
from common.release.manifest import Gate
from common.release_state import GateFigures
from edge.update.gate import f1, match_share, verdict

pytestmark = pytest.mark.unit

Row = tuple[tuple[float, float, float, float], int, float]
CAR, BUS = 3, 4
LEFT, RIGHT, FAR = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0), (90.0, 90.0, 99.0, 99.0)
GATE = Gate(least_match=0.9, least_f1=0.6, most_f1_loss=0.02)


def frame(*rows: Row) -> FrameBoxes:
    return frame_boxes(list(rows))


@pytest.mark.parametrize(
    ("found", "share"),
    [
        pytest.param([(LEFT, CAR, 0.9), (RIGHT, CAR, 0.9)], 1.0, id="both found"),
        pytest.param([(LEFT, CAR, 0.9)], 0.5, id="one of two"),
        pytest.param([(LEFT, CAR, 0.9), (RIGHT, BUS, 0.9)], 0.5, id="another class"),
        pytest.param([((0.0, 0.0, 10.0, 21.0), CAR, 0.9)], 0.0, id="covers too little of it"),
        pytest.param([(LEFT, CAR, 0.9), (LEFT, CAR, 0.8)], 0.5, id="one box twice"),
        pytest.param([(LEFT, CAR, 0.12), (RIGHT, CAR, 0.12)], 1.0, id="weaker than it was"),
        pytest.param([], 0.0, id="nothing"),
    ],
)
def test_match_is_the_share_of_reference_boxes_found_again(found: list[Row], share: float) -> None:
    reference = [frame((LEFT, CAR, 0.9), (RIGHT, CAR, 0.9))]

    assert match_share([frame(*found)], reference) == share


def test_reference_boxes_too_weak_to_begin_a_track_are_not_looked_for() -> None:
    assert match_share([frame()], [frame((LEFT, CAR, 0.2))]) == 1.0


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([(LEFT, CAR, 0.9), (RIGHT, CAR, 0.9)], 1.0, id="exact"),
        pytest.param([(LEFT, CAR, 0.9)], 2 / 3, id="one missed"),
        pytest.param(
            [(LEFT, CAR, 0.9), (RIGHT, CAR, 0.9), (FAR, CAR, 0.9)], 4 / 5, id="one invented"
        ),
        pytest.param(
            [(LEFT, CAR, 0.9), (RIGHT, CAR, 0.9), (FAR, CAR, 0.2)], 1.0, id="too weak to count"
        ),
        pytest.param([(FAR, BUS, 0.9)], 0.0, id="all wrong"),
    ],
)
def test_f1_weighs_missed_and_invented_boxes(found: list[Row], expected: float) -> None:
    truth = [frame((LEFT, CAR, 1.0), (RIGHT, CAR, 1.0))]

    assert f1([frame(*found)], truth) == pytest.approx(expected)


def test_an_empty_road_seen_as_empty_is_perfect() -> None:
    assert f1([frame()], [frame()]) == 1.0


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        pytest.param(GateFigures(match=0.9, f1=0.6, active_f1=0.62), None, id="just good enough"),
        pytest.param(
            GateFigures(match=0.89, f1=0.9, active_f1=0.5), reasons.MISMATCH, id="other engine"
        ),
        pytest.param(GateFigures(match=1, f1=0.59, active_f1=0.1), reasons.LOW_F1, id="too few"),
        pytest.param(
            GateFigures(match=1, f1=0.7, active_f1=0.73), reasons.F1_LOSS, id="worse than before"
        ),
        pytest.param(GateFigures(match=1, f1=0.7), None, id="nothing to compare with"),
    ],
)
def test_the_gate_says_why_a_model_may_not_count(figures: GateFigures, reason: str | None) -> None:
    assert verdict(GATE, figures) == reason
