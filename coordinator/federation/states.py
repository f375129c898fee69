"""Where a run is and what is known of it → where it may go next.

The arrows are data, so that a test can walk every pair. A run that failed may be planned
again: it then goes on at its last finished round.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from common.errors import ConflictError
from common.rounds import RunState

ARROWS: Mapping[RunState, frozenset[RunState]] = MappingProxyType(
    {
        RunState.PLANNED: frozenset({RunState.RUNNING, RunState.FAILED}),
        RunState.RUNNING: frozenset({RunState.SCREENED, RunState.FAILED}),
        RunState.SCREENED: frozenset({RunState.EVALUATED, RunState.FAILED}),
        RunState.EVALUATED: frozenset({RunState.CANDIDATE, RunState.REJECTED, RunState.FAILED}),
        RunState.CANDIDATE: frozenset(),
        RunState.REJECTED: frozenset(),
        RunState.FAILED: frozenset({RunState.PLANNED}),
    }
)
"""State → states that may follow it directly."""

AT_WORK = frozenset({RunState.RUNNING, RunState.SCREENED, RunState.EVALUATED})
"""A bench works on the run."""

ENDED = frozenset({RunState.CANDIDATE, RunState.REJECTED, RunState.FAILED})
"""Nothing happens any more unless somebody resumes."""

_ORDER = (RunState.PLANNED, RunState.RUNNING, RunState.SCREENED, RunState.EVALUATED)


def check_arrow(before: RunState, after: RunState) -> None:
    """Return only when ``after`` may follow ``before``.

    Raises:
        ConflictError: There is no such arrow.
    """
    if after not in ARROWS[before]:
        allowed = ", ".join(sorted(ARROWS[before])) or "nothing"
        raise ConflictError(f"run is {before}, expected {allowed} next instead of {after}")


def way(before: RunState, after: RunState) -> tuple[RunState, ...]:
    """Every state to pass through from ``before``, ``after`` included; empty when they are equal.

    A bench may finish several steps between two looks at it; each of them is kept.

    Raises:
        ConflictError: No arrows lead there.
    """
    if before == after:
        return ()
    if after in ARROWS[before]:
        return (after,)
    forward = _ORDER[_ORDER.index(before) + 1 :] if before in _ORDER else ()
    passed: list[RunState] = []
    for state in forward:
        passed.append(state)
        if state == after:
            return tuple(passed)
        if after in ARROWS[state] and after not in forward:
            return (*passed, after)
    check_arrow(before, after)
    return ()
