"""A candidate passes when nothing is forgotten, counts are no worse, and it is better at all."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from models.candidate_evidence import Evidence
from models.candidate_verdict import Limits, judge, shown
from models.proof_counts import SceneCount
from models.scores import Precision, SetScore

pytestmark = pytest.mark.unit


def classes(**map50: tuple[float, int]) -> SetScore:
    """Class → mAP50 and labelled boxes; mAP50-95 is half of mAP50."""
    found = {
        label: Precision(map50=value, map50_95=value / 2, boxes=boxes)
        for label, (value, boxes) in map50.items()
    }
    mean = sum(p.map50 for p in found.values()) / len(found)
    boxes = sum(p.boxes for p in found.values())
    return SetScore(mean=Precision(map50=mean, map50_95=mean / 2, boxes=boxes), classes=found)


def measured(
    *,
    city: float = 0.50,
    roadside: float = 0.80,
    rare: float = 0.40,
    missed: int = 2,
    false: int = 1,
    wrong: int = 1,
) -> Evidence:
    return Evidence(
        scores={
            "city": classes(car=(city, 300), bus=(rare, 5)),
            "roadside_tidar": classes(car=(roadside, 95)),
        },
        counts=(
            SceneCount(scene="day", true=20, missed=missed, false=0, wrong_class=wrong),
            SceneCount(scene="night", true=20, missed=0, false=false, wrong_class=0),
        ),
    )


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        pytest.param(measured(city=0.55), [], id="better everywhere"),
        pytest.param(measured(city=0.55, roadside=0.785), [], id="roadside loses 1.5 points"),
        pytest.param(
            measured(city=0.60, roadside=0.77),
            ["forgets roadside_tidar/car: mAP50 80.0 to 77.0, may lose 2"],
            id="roadside loses 3 points",
        ),
        pytest.param(
            measured(city=0.485, roadside=0.90),
            ["forgets city/car: mAP50 50.0 to 48.5, may lose 1"],
            id="a camera loses 1.5 points",
        ),
        pytest.param(
            measured(city=0.60, rare=0.20), [], id="five buses have no veto, here or in the mean"
        ),
        pytest.param(
            measured(city=0.55, missed=3),
            ["counts worse: 3 missed and 1 false of 40, before 2 and 1"],
            id="one more missed",
        ),
        pytest.param(
            measured(city=0.55, missed=1, false=2), [], id="one missed less, one false more"
        ),
        pytest.param(
            measured(city=0.55, wrong=2),
            ["classes worse: 2 of 40 crossings under a wrong class, before 1"],
            id="one more wrong class",
        ),
        pytest.param(
            measured(), ["not better: mAP50-95 +0.00 points over all sets"], id="the same"
        ),
    ],
)
def test_verdict_and_its_reasons(candidate: Evidence, words: list[str]) -> None:
    judgement = judge(candidate, measured())

    assert list(judgement.reasons) == words
    assert judgement.passed is (not words)


def test_every_reason_is_told_at_once() -> None:
    judgement = judge(measured(city=0.40, roadside=0.70, missed=9), measured())

    assert [reason.split(":")[0] for reason in judgement.reasons] == [
        "forgets city/car",
        "forgets roadside_tidar/car",
        "counts worse",
        "not better",
    ]


def test_the_mean_over_judged_classes_is_held_to_the_same_limit() -> None:
    before = Evidence(scores={"city": classes(car=(0.5, 99), bus=(0.5, 99), truck=(0.5, 9))})
    after = Evidence(scores={"city": classes(car=(0.491, 99), bus=(0.485, 99), truck=(0.9, 9))})

    reasons = judge(after, before).reasons

    # both judged classes fell, and the truck that rose has nine boxes
    told = [reason.split(":")[0] for reason in reasons]
    assert told == ["forgets city/bus", "forgets city/mean", "not better"]


def test_limits_can_be_told() -> None:
    candidate = measured(city=0.55, missed=3)

    assert judge(candidate, measured(), limits=Limits(more_faults=1)).passed


def test_unlike_evidence_is_refused() -> None:
    other = replace(measured(), counts=measured().counts[:1])

    with pytest.raises(ValueError, match="counted"):
        judge(other, measured())


def test_it_is_shown_and_told_as_json() -> None:
    judgement = judge(measured(city=0.60, roadside=0.77, missed=3), measured())

    content = json.loads(json.dumps(judgement.as_plain()))
    text = shown(judgement)
    assert content["passed"] is False
    assert content["candidate"]["counts_together"] == {
        "scene": "all",
        "true": 40,
        "missed": 3,
        "false": 1,
        "wrong_class": 1,
    }
    assert "| all | 40 | 3 / 1 / 1 | 2 / 1 / 1 |" in text
    # city/car +5.0 and roadside/car -1.5 points of mAP50-95
    assert "rejected: mAP50-95 +1.75 points over all sets" in text
