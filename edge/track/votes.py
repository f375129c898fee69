"""What a track looked like in every frame → the one class it is counted as.

A single frame is often wrong (a lorry cut off by the picture's edge looks like a
bus); the sum over the whole passage rarely is. Every observation votes with all
its class scores, weighted by how sure and how large it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.road_users import HAS_CAB, ROAD_USER_INDEX, ROAD_USERS, RoadUser

_PERSON = ROAD_USER_INDEX[RoadUser.PERSON]
_BICYCLE = ROAD_USER_INDEX[RoadUser.BICYCLE]
_MOTORCYCLE = ROAD_USER_INDEX[RoadUser.MOTORCYCLE]
_HAS_CAB: list[bool] = HAS_CAB.tolist()

# Nobody walks past a cycle in a quarter of their frames; a rider sits on one in most,
# but a small detector sees the cycle only now and then.
_RIDDEN_SHARE = 0.25
# A sprinter runs 8 m/s, everybody else below 4 m/s: 2.4 body heights a second. Perspective
# only shortens, so a person seen faster than this for a while is not on foot.
_FASTEST_ON_FOOT = 3.0
# 25 km/h is about 4 rider heights a second; a motor goes on beyond.
_FASTEST_CYCLIST = 5.5
_MIN_PACED = 5


class ClassVote:
    """The running vote of one track.

    Attributes:
        totals: Six sums of votes, in the order of ``ROAD_USERS``.
        has_cab: True when the votes favour a car, a bus or a truck.
    """

    __slots__ = ("_fast", "_frames", "_motor_fast", "_ridden", "_winner", "has_cab", "totals")

    def __init__(self) -> None:
        # Lists: for six numbers they cost a third of what arrays do.
        self.totals = [0.0] * len(ROAD_USERS)
        # Asked for every track in every frame, changed only by a vote: kept, not computed.
        self._winner = 0
        self.has_cab = _HAS_CAB[0]
        self._frames = 0
        self._ridden = 0
        self._fast = 0
        self._motor_fast = 0

    def add(self, class_scores: Sequence[float], *, height_px: float, pace: float) -> None:
        """Count one observation.

        Args:
            class_scores: Six, in [0, 1], in the order of ``ROAD_USERS``.
            height_px: Height of the box; 32 pixels and more carry full weight.
            pace: Speed of the foot point in box heights per second.
        """
        best = max(class_scores)
        weight = best * min(height_px / 32.0, 1.0)
        self.totals = [
            total + weight * score for total, score in zip(self.totals, class_scores, strict=True)
        ]
        self._winner = self.totals.index(max(self.totals))
        self.has_cab = _HAS_CAB[self._winner]
        self._frames += 1
        self._ridden += class_scores.index(best) in (_BICYCLE, _MOTORCYCLE)
        self._fast += pace > _FASTEST_ON_FOOT
        self._motor_fast += pace > _FASTEST_CYCLIST

    @property
    def road_user(self) -> RoadUser:
        """The class that all votes so far favour."""
        if self._winner == _PERSON and self._is_ridden:
            motor = self.totals[_MOTORCYCLE] > self.totals[_BICYCLE]
            motor = motor or 2 * self._motor_fast > self._frames
            return RoadUser.MOTORCYCLE if motor else RoadUser.BICYCLE
        return ROAD_USERS[self._winner]

    @property
    def _is_ridden(self) -> bool:
        seen_riding = self._ridden >= max(2, _RIDDEN_SHARE * self._frames)
        too_fast = self._fast >= max(_MIN_PACED, self._frames / 2)
        return seen_riding or too_fast
