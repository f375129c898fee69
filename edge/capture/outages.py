"""Why a camera gives no frames → a word that bins, health and people can rely on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common.errors import ConfigError, UnreachableError


class GapReason(StrEnum):
    """Why there are no frames."""

    OFFLINE = "offline"
    """No route, no name, connection refused, or the camera closed the stream."""
    STALLED = "stalled"
    """The connection stands, but nothing comes through it."""
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason  # nosec B105
    """The camera answered and refused user or password."""
    WRONG_SETTING = "wrong_setting"
    """The camera answered and has no such stream."""
    MISSING_FRAMES = "missing_frames"
    """The stream ran on, but left frames out."""
    OVERLOADED = "overloaded"
    """Frames came, but this box was too busy to take any."""


class WrongPasswordError(ConfigError):
    """The camera answered and refused user or password."""


class WrongStreamError(ConfigError):
    """The camera answered and has no such stream."""


class StalledError(UnreachableError):
    """The camera is connected and silent."""


CameraLostError = UnreachableError | WrongPasswordError | WrongStreamError
"""What may be over by the next attempt: cameras come back, and people correct passwords."""
CAMERA_LOST = (UnreachableError, WrongPasswordError, WrongStreamError)
"""The same as a tuple, for ``except``."""


def reason_of(error: CameraLostError) -> GapReason:
    """The word for an error that a camera's source raised."""
    match error:
        case WrongPasswordError():
            return GapReason.WRONG_PASSWORD
        case StalledError():
            return GapReason.STALLED
        case WrongStreamError():
            return GapReason.WRONG_SETTING
        case _:
            return GapReason.OFFLINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time without frames; what happened in it is unknown, not zero.

    A long outage comes in pieces, each starting where the one before ended, so that
    bins can be closed while it lasts.

    Attributes:
        camera_id: Camera that was not seen.
        since_s: Start on the stream clock, in seconds.
        until_s: End on the stream clock, in seconds, after ``since_s``.
        since_at: The start as aware UTC.
        until_at: The end as aware UTC.
        reason: Why, as known at the end.
    """

    camera_id: str
    since_s: float
    until_s: float
    since_at: datetime
    until_at: datetime
    reason: GapReason

    @property
    def length_s(self) -> float:
        """Seconds without a frame."""
        return self.until_s - self.since_s


class GapKeeper:
    """Cut the time that no frame covers into abutting pieces."""

    def __init__(self, *, gap_after_s: float, piece_s: float) -> None:
        """Keep gaps from the start of the stream clock on.

        Args:
            gap_after_s: Shorter times between two frames are not worth a word.
            piece_s: While an outage lasts, a piece of about this length at a time.
        """
        self._gap_after_s = gap_after_s
        self._piece_s = piece_s
        self._covered_s = 0.0
        self._is_open = False

    def is_late(self, captured_s: float) -> bool:
        """True for a frame from a time that was already given away as a gap."""
        return captured_s < self._covered_s

    def frame(self, captured_s: float) -> tuple[float, float] | None:
        """Note a frame; the gap that it ends, as start and end, or None."""
        since_s = self._covered_s
        shortest_s = 0.0 if self._is_open else self._gap_after_s
        self._covered_s = captured_s
        self._is_open = False
        return (since_s, captured_s) if captured_s - since_s > shortest_s else None

    def silence(self, now_s: float) -> tuple[float, float] | None:
        """Note that there was no frame up to now; the next piece of the gap, or None."""
        if now_s - self._covered_s < (self._piece_s if self._is_open else self._gap_after_s):
            return None
        since_s, self._covered_s = self._covered_s, now_s
        self._is_open = True
        return since_s, now_s
