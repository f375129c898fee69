"""A plan that cannot work is not a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from common.rounds import RunPlan, ScreeningSettings, Strategy, fewest_updates

pytestmark = pytest.mark.unit


def plan(**changes: Any) -> RunPlan:
    facts: dict[str, Any] = {
        "run": "spring",
        "created_at": datetime(2026, 3, 1, tzinfo=UTC),
        "parent": {"name": "its", "version": "1", "sha256": "0" * 64, "file": "parent.pt"},
        "clients": boxes(3),
    }
    return RunPlan.model_validate(facts | changes)


def boxes(count: int) -> list[dict[str, Any]]:
    return [{"device": f"box-{i}", "samples": 100} for i in range(count)]


def test_a_plan_comes_back_from_disk_as_it_was() -> None:
    one = plan(strategy="krum", clients=boxes(9), quorum=5)

    assert RunPlan.model_validate_json(one.model_dump_json()) == one
    assert one.strategy is Strategy.KRUM


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"quorum": 4}, "quorum 4 of 3", id="quorum above the clients"),
        pytest.param(
            {"clients": [{"device": "a", "samples": 1}] * 2}, "named twice", id="a device twice"
        ),
        pytest.param({"anchor": {"kind": "replay"}}, "without data", id="replay without data"),
        pytest.param({"rounds": 0}, "rounds", id="no rounds"),
        pytest.param({"deadline_s": float("nan")}, "deadline_s", id="no deadline"),
        pytest.param({"created_at": datetime(2026, 3, 1)}, "timezone", id="no time zone"),  # noqa: DTZ001 - the fault
        pytest.param({"surprise": 1}, "surprise", id="an unknown field"),
        pytest.param({"strategy": "best"}, "strategy", id="an unknown strategy"),
        pytest.param({"run": "../etc"}, "run", id="a path as a name"),
    ],
)
def test_a_plan_that_cannot_work_says_why(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        plan(**changes)


@pytest.mark.parametrize(
    ("strategy", "liars", "fewest"),
    [
        pytest.param("krum", 1, 5, id="krum 2f + 3"),
        pytest.param("krum", 2, 7, id="krum against two"),
        pytest.param("multi_krum", 2, 7, id="multi-krum 2f + 3"),
        pytest.param("bulyan", 1, 7, id="bulyan 4f + 3"),
        pytest.param("bulyan", 0, 3, id="bulyan against nobody"),
        pytest.param("trimmed_mean", 2, 5, id="trimmed mean 2f + 1"),
        pytest.param("fedmedian", 2, 1, id="the median takes any"),
        pytest.param("fedavg", 2, 1, id="so does a mean"),
    ],
)
def test_a_strategy_needs_so_many_boxes_against_its_liars(
    strategy: str, liars: int, fewest: int
) -> None:
    facts = {"strategy": strategy, "most_byzantine": liars, "quorum": 1}

    assert fewest_updates(Strategy(strategy), liars) == fewest
    assert len(plan(**facts, clients=boxes(fewest)).clients) == fewest
    if fewest > 1:
        with pytest.raises(
            ValidationError,
            match=f"{strategy} against {liars} liars with {fewest - 1} boxes, "
            f"expected at least {fewest}",
        ):
            plan(**facts, clients=boxes(fewest - 1))


def test_a_quorum_leaves_room_for_liars_that_screening_caught() -> None:
    # Against one liar Krum needs five; when that one was refused, four honest ones are plenty.
    asked = plan(strategy="krum", most_byzantine=1, clients=boxes(5), quorum=4)

    assert asked.quorum == 4


def test_a_direction_is_refused_only_far_outside_of_chance() -> None:
    deviation = 8009**-0.5  # of the cosine of two sketches that have nothing in common

    assert ScreeningSettings().least_cosine < -4 * deviation
