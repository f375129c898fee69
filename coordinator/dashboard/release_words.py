"""The code that a box gives for its release → the reason in words."""

from __future__ import annotations

from common.release.reasons import IN_WORDS
from coordinator.dashboard.filters import words


def release_reason(code: str) -> str:
    """What a code means; one that a newer box invented, as it is written."""
    return IN_WORDS.get(code, words(code).lower())
