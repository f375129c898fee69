from __future__ import annotations

from itertools import product

import pytest

from common.errors import ConflictError
from common.rounds import RunState
from coordinator.federation.states import ARROWS, AT_WORK, ENDED, check_arrow, way

pytestmark = pytest.mark.unit

P, R, S, E = RunState.PLANNED, RunState.RUNNING, RunState.SCREENED, RunState.EVALUATED
C, J, F = RunState.CANDIDATE, RunState.REJECTED, RunState.FAILED
ALLOWED = {(P, R), (R, S), (S, E), (E, C), (E, J), (P, F), (R, F), (S, F), (E, F), (F, P)}


@pytest.mark.parametrize(("before", "after"), list(product(RunState, RunState)))
def test_only_the_drawn_arrows_are_allowed(before: RunState, after: RunState) -> None:
    if (before, after) in ALLOWED:
        check_arrow(before, after)
        return

    with pytest.raises(ConflictError, match=f"run is {before}"):
        check_arrow(before, after)


def test_every_state_is_somewhere_in_the_drawing() -> None:
    assert set(ARROWS) == set(RunState)
    assert AT_WORK | ENDED | {P} == set(RunState)


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [
        pytest.param(R, R, (), id="stays"),
        pytest.param(P, R, (R,), id="one step"),
        pytest.param(R, E, (S, E), id="two steps between two looks"),
        pytest.param(R, C, (S, E, C), id="to the end"),
        pytest.param(S, J, (E, J), id="to a rejection"),
        pytest.param(P, J, (R, S, E, J), id="everything at once"),
        pytest.param(R, F, (F,), id="failing needs no detour"),
        pytest.param(F, P, (P,), id="resumed"),
    ],
)
def test_no_state_is_jumped_over(
    before: RunState, after: RunState, passed: tuple[RunState, ...]
) -> None:
    assert way(before, after) == passed


@pytest.mark.parametrize(("before", "after"), [(C, R), (J, P), (E, R), (F, R), (S, R)])
def test_nothing_goes_back(before: RunState, after: RunState) -> None:
    with pytest.raises(ConflictError):
        way(before, after)
