"""A round that forgets one set does not become a candidate, however much it gained elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.federated.round_scores import prepare_sets, verdict_of
from models.scores import Precision, Scores, SetScore

pytestmark = pytest.mark.unit

OURS = "names: {0: person, 1: bicycle, 2: car, 3: motorcycle, 4: bus, 5: truck}\n"


def scored(**sets: float) -> Scores:
    return {
        name: SetScore(mean=Precision(map50=value, map50_95=value / 2, boxes=10), classes={})
        for name, value in sets.items()
    }


@pytest.mark.parametrize(
    ("night", "roadside", "passed", "reasons"),
    [
        pytest.param(0.55, 0.80, True, 0, id="better and nothing lost"),
        pytest.param(0.55, 0.785, True, 0, id="one and a half points may be lost"),
        pytest.param(0.55, 0.17, False, 2, id="forgot the roadside"),
        pytest.param(0.90, 0.77, False, 1, id="forgot a little and gained much"),
        pytest.param(0.29, 0.80, False, 1, id="nothing learned"),
        pytest.param(float("nan"), 0.80, False, 2, id="not a number"),
    ],
)
def test_what_may_become_a_candidate(
    night: float, roadside: float, passed: bool, reasons: int
) -> None:
    before = scored(night=0.29, roadside=0.80)

    verdict = verdict_of(before, scored(night=night, roadside=roadside))

    assert verdict.passed is passed
    assert len(verdict.reasons) == reasons


def test_a_reason_names_the_set_and_both_scores() -> None:
    verdict = verdict_of(scored(night=0.2, roadside=0.80), scored(night=0.9, roadside=0.70))

    assert verdict.reasons == (
        "roadside: mAP50 fell from 80.0 to 70.0 points, at most 2.0 may be lost",
    )
    assert verdict.gains["night"] == pytest.approx(0.7)


def test_other_sets_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="scored on"):
        verdict_of(scored(night=0.2), scored(day=0.2))


def test_sets_are_copied_once_and_the_originals_stay_untouched(tmp_path: Path) -> None:
    val = tmp_path / "data" / "road" / "val"
    for part, name, content in (("images", "a.jpg", b"x"), ("labels", "a.txt", b"2 .5 .5 .1 .1\n")):
        (val / part).mkdir(parents=True)
        (val / part / name).write_bytes(content)
    (val.parent / "data.yaml").write_text(OURS, encoding="utf-8")

    first = prepare_sets(tmp_path / "data", tmp_path / "sets")
    (tmp_path / "sets" / "road" / "images" / "mark").write_bytes(b"")
    second = prepare_sets(tmp_path / "data", tmp_path / "sets")

    assert first == second == {"road": tmp_path / "sets" / "road"}
    assert (tmp_path / "sets" / "road" / "images" / "mark").exists()
    assert sorted(path.name for path in val.rglob("*")) == ["a.jpg", "a.txt", "images", "labels"]
