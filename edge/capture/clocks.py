"""Times as streams and machines tell them → seconds and UTC that only ever go forward."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from common.timing import Clock

SMALL_STEP_BACK_S = 1.0
LONGEST_PAUSE_S = 3600.0
"""A recording may pause for up to an hour; a longer jump is a counter that was reset."""

SMALLEST_STEP_S = 0.001
LOST_TOUCH_S = 2.0
"""Camera and machine further apart than this: one of them jumped, start over."""
FASTEST_SLEW = 0.0005
"""Seconds per second; five times the worst usual crystal, and 0.05 % of a speed."""
LARGE_STEP_S = 1.0
STEP_BACK_SLEW = 0.05


class StreamClock:
    """Turn the presentation times of a recording into its own clock, from 0.

    A missing time is replaced by the usual step. A frame a little before the last one
    came out of order and has no place any more. A large jump, back or far ahead, is a
    new counter (joined recordings, the 26.5 hour wrap of MPEG-TS): the clock goes on.
    """

    def __init__(self, *, usual_step_s: float) -> None:
        if usual_step_s <= 0:
            raise ValueError(f"usual step {usual_step_s} s, expected above zero")
        self._usual_step_s = usual_step_s
        self._origin_s: float | None = None
        self._last_s: float | None = None

    def place(self, pts_s: float | None) -> float | None:
        """Seconds since the first frame, or None when the frame came too late to be placed."""
        if self._last_s is None:
            self._origin_s = pts_s
            self._last_s = 0.0
            return 0.0
        if pts_s is None:
            self._last_s += self._usual_step_s
            return self._last_s
        if self._origin_s is None:
            self._origin_s = pts_s - self._last_s - self._usual_step_s
        step_s = pts_s - self._origin_s - self._last_s
        if -SMALL_STEP_BACK_S < step_s <= 0:
            return None
        if step_s <= -SMALL_STEP_BACK_S or step_s > LONGEST_PAUSE_S:
            self._origin_s = pts_s - self._last_s - self._usual_step_s
            step_s = self._usual_step_s
        self._last_s = round(self._last_s + step_s, 9)
        return self._last_s


class LiveClock:
    """Turn presentation times of a live stream into a steady clock, from 0.

    Spacing comes from the camera, so network jitter does not become speed error; the
    pace follows this machine, so a camera whose crystal is off by 100 ppm does not
    drift away by 9 s a day. A camera whose times stand still or jump is timed by
    arrival instead.
    """

    def __init__(self, *, opened_s: float) -> None:
        """Start at ``opened_s`` on the machine's steady clock."""
        self._opened_s = opened_s
        self._offset_s: float | None = None
        self._last_pts_s: float | None = None
        self._last_s: float | None = None

    def place(self, pts_s: float | None, *, arrived_s: float) -> float:
        """Seconds since opening; later than for any frame before.

        Args:
            pts_s: Presentation time that the stream tells, or None.
            arrived_s: When the frame was read, on the machine's steady clock.
        """
        arrived_s -= self._opened_s
        captured_s = self._by_camera(pts_s, arrived_s)
        if self._last_s is not None:
            captured_s = max(captured_s, self._last_s + SMALLEST_STEP_S)
        self._last_s = captured_s
        return captured_s

    def _by_camera(self, pts_s: float | None, arrived_s: float) -> float:
        before_s, self._last_pts_s = self._last_pts_s, pts_s
        if pts_s is None or (before_s is not None and pts_s <= before_s):
            return arrived_s
        if self._offset_s is None or abs(arrived_s - pts_s - self._offset_s) > LOST_TOUCH_S:
            self._offset_s = arrived_s - pts_s
        elif before_s is not None:
            most_s = FASTEST_SLEW * (pts_s - before_s)
            error_s = arrived_s - pts_s - self._offset_s
            self._offset_s += min(max(error_s, -most_s), most_s)
        return pts_s + self._offset_s


class WallClock:
    """Turn seconds of a running stream into aware UTC that never goes backwards.

    Small errors are slewed. A step forward (a box without a battery clock gets its
    time from the network) is followed at once. A step back is worked off slowly,
    because going back would put two different minutes into one bin.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._held_s = clock.now().timestamp()
        self._last_s = 0.0
        self._lock = threading.Lock()

    def now_s(self) -> float:
        """Seconds since this clock was made, on the machine's steady clock."""
        return self._clock.monotonic_s() - self._started_s

    def at(self, stream_s: float) -> datetime:
        """The moment ``stream_s`` seconds after the start; safe from several threads."""
        with self._lock:
            return self._held_at(stream_s)

    def _held_at(self, stream_s: float) -> datetime:
        passed_s = max(0.0, stream_s - self._last_s)
        self._last_s = max(self._last_s, stream_s)
        error_s = self._clock.now().timestamp() - self.now_s() - self._held_s
        if error_s > LARGE_STEP_S:
            self._held_s += error_s
        else:
            pace = FASTEST_SLEW if error_s > -LARGE_STEP_S else STEP_BACK_SLEW
            self._held_s += min(max(error_s, -pace * passed_s), pace * passed_s)
        return datetime.fromtimestamp(self._held_s + stream_s, UTC)
