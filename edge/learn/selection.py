"""What the tracker makes of a frame → why that frame is worth keeping, and how much.

Active learning without a second network: what the detector was unsure of (uncertainty
sampling, Lewis & Gale 1994), where its boxes contradict each other over time (Bengar et al.
2019, "Temporal coherence for active learning in videos"), who is rare, and which hours of the
day are not covered yet.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from common.road_users import ROAD_USERS, RoadUser
from edge.learn.settings import SamplingSettings
from edge.track.settings import TrackerSettings
from edge.track.tracks import TrackedFrame

_SURE = TrackerSettings().sure_score
# As far above the threshold as the tracker's floor is below it: within, a little more or less
# light decides whether the road user is counted.
_UNSURE_SPAN = _SURE - TrackerSettings().least_score
_LAST_KEPT = 20
_HOURS = 24
# An hour in which the detector makes no mistake is still shown a few times.
_LEAST_OF_HOUR = 6
# Chance decides only between frames that are worth the same.
_CHANCE = 0.02
# A picture is copied again only for one that is clearly worth more.
BETTER_BY = 0.05


class Reason(StrEnum):
    """Why a frame is kept; a code of the sample."""

    UNCERTAIN = "uncertain"
    TRACK_GAP = "track_gap"
    CLASS_FLIP = "class_flip"
    RARE_CLASS = "rare_class"
    HOUR = "hour"


WORTH: Mapping[Reason, float] = {
    # The detector missed somebody whom time proves to have been there: a certain mistake.
    Reason.TRACK_GAP: 0.8,
    # It called one road user two things, so at least one of them was a mistake.
    Reason.CLASS_FLIP: 0.6,
    Reason.UNCERTAIN: 0.5,
    # Right or wrong, but there are few of them to learn from.
    Reason.RARE_CLASS: 0.4,
    # Neither: keeps the others from showing only the hours that are difficult.
    Reason.HOUR: 0.3,
}
"""What a full reason is worth; the order matters, the figures only through it."""


def worth(strengths: Mapping[Reason, float]) -> float:
    """Value in [0, 1] of a frame with these reasons, each with a strength in [0, 1]."""
    missing = 1.0
    for reason, strength in strengths.items():
        missing *= 1 - WORTH[reason] * strength
    return 1 - missing


@dataclass(slots=True)
class FrameWatch:
    """Tells for each frame of one camera why it might be kept."""

    _classes: dict[int, RoadUser] = field(default_factory=dict)
    _seen: Counter[RoadUser] = field(default_factory=Counter)

    def strengths(self, tracked: TrackedFrame, *, unseen: int) -> dict[Reason, float]:
        """Reasons and their strengths.

        Args:
            tracked: The frame.
            unseen: Tracks that go on and were not seen in it.
        """
        now = [point for point in tracked.points if point.at_s == tracked.captured_s]
        unsure = [max(0.0, 1 - abs(point.score - _SURE) / _UNSURE_SPAN) for point in now]
        unsure += [0.5] * tracked.unassigned
        flips = sum(
            self._classes.get(point.track_id, point.road_user) is not point.road_user
            for point in now
        )
        rare = max((self._rarity(point.road_user) for point in now), default=0.0)
        self._note(tracked)
        found = {
            Reason.UNCERTAIN: _any_of(unsure),
            Reason.TRACK_GAP: float(unseen > 0),
            Reason.CLASS_FLIP: float(flips > 0),
            Reason.RARE_CLASS: rare,
        }
        return {reason: strength for reason, strength in found.items() if strength > 0}

    def _rarity(self, road_user: RoadUser) -> float:
        """0 for a class with its even share of road users, towards 1 for one hardly ever seen."""
        everybody = self._seen.total() + len(ROAD_USERS)
        share = (self._seen[road_user] + 1) / everybody
        return max(0.0, 1 - share * len(ROAD_USERS))

    def _note(self, tracked: TrackedFrame) -> None:
        for point in tracked.points:
            if point.track_id not in self._classes:
                self._seen[point.road_user] += 1
            self._classes[point.track_id] = point.road_user
        for track_id in tracked.ended:
            self._classes.pop(track_id, None)


class Quotas:
    """How many pictures of one camera, hour and reason are enough."""

    def __init__(self, settings: SamplingSettings) -> None:
        self._settings = settings
        self._last: deque[frozenset[Reason]] = deque(maxlen=_LAST_KEPT)
        self._hours: Counter[int] = Counter()
        self._day: date | None = None
        self._today = 0
        self._kept_at: datetime | None = None

    def note(self, taken_at: datetime, reasons: frozenset[Reason]) -> None:
        """Count a picture that was kept, also one of an earlier run; in the box's time zone."""
        self._turn_to(taken_at.date())
        self._today += 1
        self._hours[taken_at.hour] += 1
        self._last.append(reasons)
        self._kept_at = taken_at

    def allows(self, at: datetime) -> bool:
        """False while the last one is too near, or today has enough."""
        self._turn_to(at.date())
        spacing_s = self._settings.spacing_s
        is_far = self._kept_at is None or abs((at - self._kept_at).total_seconds()) >= spacing_s
        return is_far and self._today < self._settings.per_day

    def left_of(self, strengths: Mapping[Reason, float], at: datetime) -> dict[Reason, float]:
        """The reasons that still count at this hour, and the hour itself."""
        most = self._settings.reason_share * _LAST_KEPT
        used = Counter(reason for reasons in self._last for reason in reasons)
        left = {reason: value for reason, value in strengths.items() if used[reason] < most}
        fair = max(self._hours.total() / _HOURS, _LEAST_OF_HOUR)
        if used[Reason.HOUR] < most and self._hours[at.hour] < fair:
            left[Reason.HOUR] = 1 / (1 + self._hours[at.hour])
        return left

    def _turn_to(self, day: date) -> None:
        if day != self._day:
            self._day, self._today = day, 0


def chance(seed: int, camera_id: str, captured_s: float) -> float:
    """A number in [0, ``_CHANCE``) that the same frame of the same run always gets."""
    digest = hashlib.blake2b(f"{seed}/{camera_id}/{captured_s:.3f}".encode(), digest_size=8)
    return int.from_bytes(digest.digest()) / 2**64 * _CHANCE


def _any_of(strengths: list[float]) -> float:
    missing = 1.0
    for strength in strengths:
        missing *= 1 - strength
    return 1 - missing
