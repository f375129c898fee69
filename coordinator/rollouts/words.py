"""What a box says of its model → whether it confirmed or failed what it was told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from common.release_state import ReleaseState, Step
from coordinator.rollouts.states import BoxState

_FAILED = frozenset({Step.REFUSED, Step.ROLLED_BACK})
_HOLDS = frozenset({Step.CONFIRMED, Step.IDLE})


def word_of(health: dict[str, Any] | None) -> ReleaseState | None:
    """The part about its model of a box's newest report; None where it says nothing of it."""
    try:
        return ReleaseState.model_validate((health or {}).get("release"))
    except ValidationError:
        return None


def verdict(
    word: ReleaseState | None, *, version: str, since_before: datetime | None
) -> BoxState | None:
    """What the box's word means for a wish; None while it says neither.

    Args:
        word: What it said last.
        version: What it was told to run.
        since_before: What it said before it was told: an old refusal of the same version is
            no answer to a new wish. Compared for equality alone, the box's clock may be wrong.
    """
    if word is None:
        return None
    if word.active_version == version and word.step in _HOLDS:
        return BoxState.CONFIRMED
    if word.wanted_version == version and word.step in _FAILED and word.since != since_before:
        return BoxState.FAILED
    return None
