"""Who is told first, and who after that."""

from __future__ import annotations

import pytest

from common.errors import ConflictError
from coordinator.rollouts.planning import plan_waves

pytestmark = pytest.mark.unit

SITES = {f"box-{site}-{i}": f"site-{site}" for site in "abcde" for i in range(4)}


def plan(**more: object) -> dict[str, int]:
    facts = {"rollout": "1-1-0-aaaa", "canaries": None, "waves": (0.25, 1.0)} | more
    return plan_waves(SITES, **facts)  # type: ignore[arg-type]


def test_every_box_has_one_wave_and_a_tenth_goes_first() -> None:
    waves = plan()

    assert waves.keys() == SITES.keys()
    assert [list(waves.values()).count(wave) for wave in (0, 1, 2)] == [2, 5, 13]


def test_canaries_stand_at_different_sites() -> None:
    waves = plan(canaries=5)

    assert {SITES[name] for name, wave in waves.items() if wave == 0} == set(SITES.values())


def test_the_same_rollout_plans_the_same_and_another_one_other_canaries() -> None:
    canaries = [
        {name for name, wave in plan(rollout=rollout).items() if wave == 0}
        for rollout in ("1-1-0-aaaa", "1-1-0-aaaa", "1-1-0-bbbb")
    ]

    assert canaries[0] == canaries[1] != canaries[2]


def test_one_box_is_its_own_canary() -> None:
    assert plan_waves({"box": "a"}, rollout="r", canaries=None, waves=(1.0,)) == {"box": 0}


def test_a_share_that_adds_nobody_is_no_wave() -> None:
    waves = plan_waves({"a": "x", "b": "x"}, rollout="r", canaries=1, waves=(0.1, 0.2, 1.0))

    assert sorted(waves.values()) == [0, 1]


@pytest.mark.parametrize("canaries", [0, 21])
def test_more_canaries_than_boxes_are_refused(canaries: int) -> None:
    with pytest.raises(ConflictError, match="of 20 boxes"):
        plan(canaries=canaries)


def test_without_boxes_nothing_is_planned() -> None:
    with pytest.raises(ConflictError, match="no enrolled box"):
        plan_waves({}, rollout="r", canaries=None, waves=(1.0,))


@pytest.mark.parametrize("waves", [(), (0.5,), (0.5, 0.5, 1.0), (1.0, 0.5)])
def test_waves_that_do_not_rise_to_everybody_are_refused(waves: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="rise to 1"):
        plan(waves=waves)
