"""Readings that waver → states that hold."""

from __future__ import annotations

from enum import Enum


class Reading(Enum):
    """One look at a condition with two thresholds."""

    GOOD = "good"
    BAD = "bad"
    BETWEEN = "between"
    """Neither side: whatever held goes on, and nothing builds up."""


class Latch:
    """A state that is entered and left only after its reading has lasted.

    Two thresholds (the caller's) and two times: the pair keeps a picture at the limit
    from flickering between good and bad, and a passing lorry from being news.
    """

    def __init__(self, *, enter_after_s: float, leave_after_s: float) -> None:
        """Start in the good state.

        Args:
            enter_after_s: How long ``BAD`` must last.
            leave_after_s: How long ``GOOD`` must last.
        """
        self._enter_after_s = enter_after_s
        self._leave_after_s = leave_after_s
        self._is_set = False
        self._since_s: float | None = None

    @property
    def is_set(self) -> bool:
        """True while the bad state holds."""
        return self._is_set

    def update(self, reading: Reading, at_s: float) -> bool:
        """Take a reading at ``at_s`` on the stream clock; the state after it."""
        against = Reading.GOOD if self._is_set else Reading.BAD
        if reading is not against:
            self._since_s = None
            return self._is_set
        if self._since_s is None:
            self._since_s = at_s
        needed_s = self._leave_after_s if self._is_set else self._enter_after_s
        if at_s - self._since_s >= needed_s:
            self._is_set = not self._is_set
            self._since_s = None
        return self._is_set

    def interrupt(self) -> None:
        """Forget what was building up; time without pictures proves nothing."""
        self._since_s = None


def below(value: float, *, enter: float, leave: float) -> Reading:
    """``BAD`` under ``enter``, ``GOOD`` over ``leave``, where ``enter`` < ``leave``."""
    if value < enter:
        return Reading.BAD
    return Reading.GOOD if value > leave else Reading.BETWEEN


def above(value: float, *, enter: float, leave: float) -> Reading:
    """``BAD`` over ``enter``, ``GOOD`` under ``leave``, where ``enter`` > ``leave``."""
    if value > enter:
        return Reading.BAD
    return Reading.GOOD if value < leave else Reading.BETWEEN
