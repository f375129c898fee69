"""Frames and events in stream order → closed one-minute bins."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.timing import bin_start
from edge.measure.bins import BIN_WIDTH, MinuteBin
from edge.measure.events import Conflict, Crossing, FlowPassage, Incident
from edge.measure.headway import Spacing
from edge.measure.tally import Layout, MinuteTally

LATENESS = timedelta(seconds=5)
"""A minute closes this long after its end, so that held events still find it open."""

LONGEST_FRAME_GAP_S = 2.0
"""A longer hole between two frames was not watched."""

LONGEST_FILL = timedelta(days=1)
"""Unwatched minutes are reported one by one up to this; a clock that jumps further is not."""

CLOCK_STEP_S = 2.0
"""Wall clock and stream clock that disagree by more between two frames: one of them stepped."""

_REMEMBERED_MINUTES = 2 * 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameAccount:
    """What the bins need to know of one frame.

    Attributes:
        captured_s: Stream clock, seconds.
        captured_at: The same moment as aware UTC.
        is_usable: False when the picture cannot be measured (blocked, frozen).
        brightness: Mean brightness, 0 to 255, or None when it was not measured.
        dropped: Frames the stream had since the previous account that nobody measured.
        detected: Confident detections in it.
        unassigned: Those that no track took.
        flags: Names of the quality states that hold.
    """

    captured_s: float
    captured_at: datetime
    is_usable: bool = True
    brightness: float | None = None
    dropped: int = 0
    detected: int = 0
    unassigned: int = 0
    flags: tuple[str, ...] = ()


class FillBins:
    """Sort what happened into minutes; hand each on once it is complete.

    A minute that was handed on is never changed. What belongs to it but comes later (an
    event held for long, or a clock set back) goes into a further part of it.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._open: dict[datetime, MinuteTally] = {}
        self._parts: OrderedDict[datetime, int] = OrderedDict()
        self._closed: list[MinuteBin] = []
        self._last: FrameAccount | None = None
        self._newest_minute: datetime | None = None
        self._began: datetime | None = None

    def see(self, frame: FrameAccount) -> float:
        """Account for one frame; return the seconds since the last one that were watched."""
        last, self._last = self._last, frame
        self._open_until(frame.captured_at)
        minute = self._minute(frame.captured_at)
        minute.see(is_usable=frame.is_usable, dropped=frame.dropped, brightness=frame.brightness)
        minute.assign(detected=frame.detected, unassigned=frame.unassigned)
        minute.flag(*frame.flags)
        watched_s = 0.0 if last is None else self._watched_since(last, frame)
        self._close_before(frame.captured_at)
        return watched_s

    def minute(self, at: datetime) -> MinuteTally:
        """The tally that takes what happened at ``at``."""
        return self._minute(at)

    def add_crossing(self, crossing: Crossing, spacing: Spacing | None = None) -> None:
        """Sort a crossing in by the moment it happened."""
        self._minute(crossing.at).add_crossing(crossing, spacing)

    def add_passage(self, passage: FlowPassage) -> None:
        """Sort a passage in by the moment it ended."""
        self._minute(passage.at).add_passage(passage)

    def add_incident(self, incident: Incident) -> None:
        """Sort an incident in by the moment it became certain."""
        self._minute(incident.at).add_incident(incident)

    def add_conflict(self, conflict: Conflict) -> None:
        """Sort a conflict in by its moment."""
        self._minute(conflict.at).add_conflict(conflict)

    def advance(self, now: datetime) -> None:
        """Close minutes although no frame came; call it while a source is away."""
        if self._began is None:
            self._began = now
        since = self._began if self._last is None else self._last.captured_at
        if now < since:
            return
        self._open_until(now)
        if (now - since).total_seconds() > LONGEST_FRAME_GAP_S:
            self._miss(since, now)
        self._close_before(now)

    def ready(self) -> list[MinuteBin]:
        """Bins that closed since the last call, oldest first."""
        closed, self._closed = self._closed, []
        return closed

    def finish(self) -> list[MinuteBin]:
        """The stream is over; close everything."""
        if self._newest_minute is not None and self._newest_minute not in self._parts:
            self._minute(self._newest_minute)
        self._close_all()
        return self.ready()

    def _watched_since(self, last: FrameAccount, frame: FrameAccount) -> float:
        stream_s = frame.captured_s - last.captured_s
        wall_s = (frame.captured_at - last.captured_at).total_seconds()
        has_stepped = abs(wall_s - stream_s) > CLOCK_STEP_S
        if has_stepped:
            self._minute(frame.captured_at).flag("clock_step")
        # Whatever clock stepped, the other one still knows how long it was.
        watched_s = min((s for s in (stream_s, wall_s) if s > 0), default=0.0)
        if watched_s > LONGEST_FRAME_GAP_S or not (frame.is_usable and last.is_usable):
            self._miss(last.captured_at, frame.captured_at)
            return 0.0
        into_s = (frame.captured_at - bin_start(frame.captured_at, BIN_WIDTH)).total_seconds()
        self._minute(frame.captured_at).coverage_s += min(watched_s, into_s)
        if watched_s > into_s and not has_stepped:
            self._minute(last.captured_at).coverage_s += watched_s - into_s
        return watched_s

    def _open_until(self, now: datetime) -> None:
        start = bin_start(now, BIN_WIDTH)
        newest = self._newest_minute
        if newest is not None and start < newest and now < newest - LATENESS:
            # The clock was set back: what is open ends here, its minutes will come again.
            for tally in self._open.values():
                tally.flag("clock_step")
            self._close_all()
            newest = None
        if newest is not None and newest < start <= newest + LONGEST_FILL:
            # From the minute that is left on: it too may have passed without a frame.
            for passed in range((start - newest) // BIN_WIDTH):
                if newest + passed * BIN_WIDTH not in self._parts:
                    self._minute(newest + passed * BIN_WIDTH)
        if newest is None or start > newest:
            self._newest_minute = start

    def _close_before(self, now: datetime) -> None:
        for minute in sorted(self._open):
            if minute + BIN_WIDTH + LATENESS <= now:
                self._close(minute)

    def _minute(self, at: datetime) -> MinuteTally:
        start = bin_start(at, BIN_WIDTH)
        tally = self._open.get(start)
        if tally is None:
            tally = MinuteTally(self._layout, start, self._parts.get(start, 0))
            self._open[start] = tally
        return tally

    def _miss(self, since: datetime, until: datetime) -> None:
        for start in sorted(self._open):
            from_s = max(0.0, (since - start).total_seconds())
            to_s = min(60.0, (until - start).total_seconds())
            if from_s < to_s:
                self._open[start].miss(from_s, to_s)

    def _close_all(self) -> None:
        for minute in sorted(self._open):
            self._close(minute)

    def _close(self, minute: datetime) -> None:
        self._closed.append(self._open.pop(minute).close())
        self._parts[minute] = self._parts.get(minute, 0) + 1
        while len(self._parts) > _REMEMBERED_MINUTES:
            self._parts.popitem(last=False)
