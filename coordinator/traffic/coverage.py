"""Watched and wanted seconds → how far a number can be trusted, and why one is missing.

No number is ever made up: what was not watched, not reported or withheld is None with a
state that says which, and 0 means that somebody watched and saw none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FULL_SHARE = 0.95
"""Coverage from which a bin counts as watched throughout; the boxes use the same share."""


class State(StrEnum):
    """Whether there is a number, and if not, why."""

    MEASURED = "measured"
    NOT_WATCHED = "not_watched"
    NOT_REPORTED = "not_reported"
    WITHHELD = "withheld"


class Verdict(StrEnum):
    """One word on a bin."""

    GOOD = "good"
    PARTIAL = "partial"
    DEGRADED = "degraded"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How well a camera watched during one bin.

    Attributes:
        wanted_s: Length of the bin, above zero.
        watched_s: Seconds of it that were watched with usable pictures.
        good_s: Seconds watched in minutes whose quality was good.
        reported_bins: Bins that arrived.
        degraded_bins: Bins that arrived with doubts about the picture.
    """

    wanted_s: float
    watched_s: float = 0.0
    good_s: float = 0.0
    reported_bins: int = 0
    degraded_bins: int = 0

    def __post_init__(self) -> None:
        """Refuse a bin without a length."""
        if self.wanted_s <= 0:
            raise ValueError(f"wanted {self.wanted_s} s, expected above zero")

    @property
    def coverage(self) -> float:
        """Watched over wanted seconds, in [0, 1]; late parts may not push it above."""
        return min(1.0, self.watched_s / self.wanted_s)

    @property
    def quality(self) -> float:
        """Share of the wanted seconds watched without any doubt, in [0, 1]."""
        return min(self.coverage, self.good_s / self.wanted_s)

    @property
    def verdict(self) -> Verdict:
        """Doubts about pictures weigh more than missing time."""
        if self.watched_s <= 0:
            return Verdict.NO_DATA
        if self.degraded_bins > (1 - FULL_SHARE) * self.reported_bins:
            return Verdict.DEGRADED
        return Verdict.GOOD if self.coverage >= FULL_SHARE else Verdict.PARTIAL

    @property
    def missing(self) -> State:
        """Why a number of this bin is missing, when it was not withheld."""
        return State.NOT_WATCHED if self.reported_bins else State.NOT_REPORTED


def state_of(*, has_number: bool, withheld_bins: int, watched: Watched) -> State:
    """Whether there is a number, and if not, why."""
    if has_number:
        return State.MEASURED
    return State.WITHHELD if withheld_bins else watched.missing
