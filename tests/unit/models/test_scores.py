"""A candidate passes when it is better overall and no class of any set lost over a point."""

from __future__ import annotations

import json

import pytest

from models.scores import (
    Precision,
    Scores,
    SetScore,
    as_plain,
    compare,
    from_plain,
    overall,
    table,
)

pytestmark = pytest.mark.unit


def score(*, car: float, truck: float, boxes: int = 100) -> Scores:
    classes = {
        "car": Precision(map50=car, map50_95=car / 2, boxes=boxes),
        "truck": Precision(map50=truck, map50_95=truck / 2, boxes=boxes),
    }
    middle = (car + truck) / 2
    mean = Precision(map50=middle, map50_95=middle / 2, boxes=2 * boxes)
    return {"road": SetScore(mean=mean, classes=classes)}


BEFORE = score(car=0.8, truck=0.4)


@pytest.mark.parametrize(
    ("after", "passed", "losses"),
    [
        pytest.param(score(car=0.8, truck=0.5), True, [], id="one class better"),
        pytest.param(score(car=0.795, truck=0.5), True, [], id="half a point lost"),
        pytest.param(score(car=0.78, truck=0.6), False, ["road/car"], id="two points lost"),
        pytest.param(score(car=0.8, truck=0.4), False, [], id="the same"),
    ],
)
def test_verdict(after: Scores, passed: bool, losses: list[str]) -> None:
    verdict = compare(BEFORE, after)

    assert verdict.passed is passed
    assert list(verdict.losses) == losses


def test_a_class_with_few_boxes_has_no_veto() -> None:
    before, after = score(car=0.8, truck=0.4, boxes=3), score(car=0.7, truck=0.6, boxes=3)

    assert compare(before, after, least_boxes=4).passed
    assert not compare(before, after, least_boxes=3).passed


def test_the_gain_is_the_mean_over_sets() -> None:
    before = BEFORE | {"night": score(car=0.2, truck=0.2)["road"]}
    after = BEFORE | {"night": score(car=0.4, truck=0.4)["road"]}

    # mAP50-95 of the night set rises by 0.1, the other stays
    assert compare(before, after).overall_gain == pytest.approx(0.05)
    assert overall(before) == pytest.approx((0.3 + 0.1) / 2)


def test_scores_of_different_sets_are_not_compared() -> None:
    with pytest.raises(ValueError, match="scored on"):
        compare(BEFORE, {"other": BEFORE["road"]})


def test_scores_survive_json() -> None:
    assert from_plain(json.loads(json.dumps(as_plain(BEFORE)))) == BEFORE


def test_the_table_shows_points_side_by_side() -> None:
    lines = table({"start": BEFORE, "trained": score(car=0.9, truck=0.5)}).splitlines()

    assert lines[0] == (
        "| set | class | boxes | start mAP50 / mAP50-95 | trained mAP50 / mAP50-95 |"
    )
    assert "| road | truck | 100 | 40.0 / 20.0 | 50.0 / 25.0 |" in lines
    assert lines[-1] == "| road | **mean** | 200 | 60.0 / 30.0 | 70.0 / 35.0 |"
