"""Where a rollout goes, whatever its boxes say and in whatever order."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.rollouts.states import (
    REACHED,
    Box,
    BoxState,
    Decision,
    Limits,
    Rollout,
    RolloutState,
    decide,
)

pytestmark = pytest.mark.unit

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMITS = Limits(most_failed=0.25, least_confirmed=1.0, watch_s=60)


def rollout(state: RolloutState = RolloutState.CANARY, wave: int = 0, **more: object) -> Rollout:
    facts = {"waves": 3, "entered_at": NOON, "limits": LIMITS} | more
    return Rollout(state=state, wave=wave, **facts)  # type: ignore[arg-type]


def box(name: str, wave: int, state: BoxState = BoxState.PENDING, **more: object) -> Box:
    settled = NOON if state in (BoxState.CONFIRMED, BoxState.FAILED) else None
    facts = {"settled_at": settled} | more
    return Box(device=name, wave=wave, state=state, **facts)  # type: ignore[arg-type]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_new_rollout_tells_its_canaries_and_nobody_else() -> None:
    boxes = [box("a", 0), box("b", 0), box("c", 1)]

    decision = decide(rollout(RolloutState.PLANNED), boxes, now=NOON)

    assert (decision.state, decision.tell) == (RolloutState.CANARY, ("a", "b"))


def test_a_canary_holds_only_after_it_was_watched() -> None:
    boxes = [box("a", 0, BoxState.CONFIRMED), box("b", 1)]

    assert decide(rollout(), boxes, now=after(59)).state is RolloutState.CANARY
    held = decide(rollout(), boxes, now=after(60))

    assert (held.state, held.reason) == (
        RolloutState.WAITING,
        "1 of 1 canaries confirmed it and held",
    )


def test_a_canary_that_is_away_does_not_count_as_confirmed() -> None:
    boxes = [box("a", 0, BoxState.CONFIRMED), box("b", 0, BoxState.TOLD, is_away=True)]

    assert decide(rollout(), boxes, now=after(9999)).state is RolloutState.CANARY


def test_the_fleet_waits_for_a_second_person() -> None:
    boxes = [box("a", 0, BoxState.CONFIRMED), box("b", 1)]
    waiting = rollout(RolloutState.WAITING)

    assert decide(waiting, boxes, now=after(999)) == Decision(state=RolloutState.WAITING, wave=0)
    approved = decide(replace(waiting, is_approved=True), boxes, now=after(999))

    assert (approved.state, approved.wave, approved.tell) == (RolloutState.FLEET, 1, ("b",))


def test_a_wave_does_not_wait_for_a_box_that_is_away() -> None:
    boxes = [
        box("a", 0, BoxState.CONFIRMED),
        box("b", 1, BoxState.CONFIRMED),
        box("c", 1, BoxState.TOLD, is_away=True),
        box("d", 2),
    ]

    decision = decide(rollout(RolloutState.FLEET, 1), boxes, now=after(60))

    assert (decision.wave, decision.tell) == (2, ("d",))


def test_a_wave_waits_for_a_box_that_is_there() -> None:
    boxes = [box("a", 1, BoxState.CONFIRMED), box("b", 1, BoxState.TOLD), box("c", 2)]

    assert decide(rollout(RolloutState.FLEET, 1), boxes, now=after(9999)).tell == ()


def test_it_is_done_after_the_last_wave() -> None:
    boxes = [box("a", 0, BoxState.CONFIRMED), box("b", 2, BoxState.CONFIRMED)]

    assert decide(rollout(RolloutState.FLEET, 2), boxes, now=after(60)).state is RolloutState.DONE


@pytest.mark.parametrize(
    ("told", "failed", "state"),
    [
        pytest.param(1, 1, RolloutState.HALTED, id="the only canary fails"),
        pytest.param(3, 1, RolloutState.HALTED, id="a third of three"),
        pytest.param(4, 1, RolloutState.FLEET, id="a quarter of four may fail"),
        pytest.param(8, 3, RolloutState.HALTED, id="three of eight"),
    ],
)
def test_it_halts_when_too_many_of_the_told_boxes_fail(
    told: int, failed: int, state: RolloutState
) -> None:
    boxes = [box(f"f{i}", 1, BoxState.FAILED) for i in range(failed)]
    boxes += [box(f"t{i}", 1, BoxState.TOLD) for i in range(told - failed)]
    boxes += [box(f"p{i}", 2) for i in range(10)]

    assert decide(rollout(RolloutState.FLEET, 1), boxes, now=NOON).state is state


def test_a_paused_rollout_tells_nobody_and_still_halts() -> None:
    paused = rollout(RolloutState.FLEET, 1, is_paused=True)

    assert decide(paused, [box("a", 1)], now=NOON).tell == ()
    assert decide(paused, [box("a", 1, BoxState.FAILED)], now=NOON).state is RolloutState.HALTED


@pytest.mark.parametrize("state", [RolloutState.HALTED, RolloutState.ROLLED_BACK])
def test_a_rollout_that_ended_badly_tells_nobody(state: RolloutState) -> None:
    decision = decide(rollout(state, is_approved=True), [box("a", 0), box("b", 1)], now=NOON)

    assert decision == Decision(state=state, wave=0)


@pytest.mark.parametrize(
    "limits", [{"most_failed": 1.0}, {"least_confirmed": 0.0}, {"watch_s": -1.0}]
)
def test_limits_that_nothing_could_cross_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cannot be kept"):
        Limits(**limits)


_FLEETS = st.lists(st.integers(0, 2), min_size=1, max_size=12).map(lambda waves: [0, *waves])
_WORDS = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["confirm", "fail", "leave", "come"])),
    max_size=8,
)


@given(
    waves=_FLEETS,
    steps=st.lists(st.tuples(_WORDS, st.integers(0, 200), st.booleans()), max_size=25),
    most_failed=st.sampled_from([0.0, 0.1, 0.34, 0.5]),
    approved_at=st.integers(0, 25),
)
def test_whatever_boxes_say_a_rollout_keeps_its_promises(
    waves: list[int],
    steps: list[tuple[list[tuple[int, str]], int, bool]],
    most_failed: float,
    approved_at: int,
) -> None:
    limits = Limits(most_failed=most_failed, least_confirmed=1.0, watch_s=60)
    current = Rollout(
        state=RolloutState.PLANNED,
        wave=0,
        waves=max(waves) + 1,
        entered_at=NOON,
        limits=limits,
    )
    boxes = {f"box-{i}": Box(device=f"box-{i}", wave=wave) for i, wave in enumerate(waves)}
    canaries = {name for name, one in boxes.items() if one.wave == 0}
    now = NOON
    for number, (words, seconds, is_paused) in enumerate(steps):
        now += timedelta(seconds=seconds)
        for index, word in words:
            name = f"box-{index % len(boxes)}"
            boxes[name] = heard(boxes[name], word, now)
        before = current
        current = replace(current, is_paused=is_paused, is_approved=number >= approved_at)
        decision = decide(current, list(boxes.values()), now=now)
        failed = sum(one.state is BoxState.FAILED for one in boxes.values())
        told = sum(one.state in REACHED for one in boxes.values())
        for name in decision.tell:
            assert boxes[name].state is BoxState.PENDING
            boxes[name] = replace(boxes[name], state=BoxState.TOLD)
        if decision.wave != current.wave:
            current = replace(current, entered_at=now)
        current = replace(current, state=decision.state, wave=decision.wave)
        reached = {name for name, one in boxes.items() if one.state in REACHED}

        if number < approved_at:
            assert reached <= canaries
        if before.state not in (RolloutState.DONE, RolloutState.HALTED):
            too_many = failed > math.floor(most_failed * told)
            assert (current.state is RolloutState.HALTED) == too_many
        if is_paused or current.state is RolloutState.HALTED:
            assert decision.tell == ()
        assert all(boxes[name].wave <= current.wave for name in reached)
        if current.state is RolloutState.WAITING:
            assert all(boxes[name].state is not BoxState.PENDING for name in canaries)


def heard(one: Box, word: str, now: datetime) -> Box:
    """A box that was told may settle; any box may go away and come back."""
    if word in ("leave", "come"):
        return replace(one, is_away=word == "leave")
    if one.state is BoxState.TOLD and word == "confirm":
        return replace(one, state=BoxState.CONFIRMED, settled_at=now)
    if one.state in (BoxState.TOLD, BoxState.CONFIRMED) and word == "fail":
        return replace(one, state=BoxState.FAILED, settled_at=now)
    return one
