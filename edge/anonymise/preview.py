"""A camera's frames → redacted pictures shown for a limited time, with an entry in a log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from numpy import uint8
from numpy.typing import NDArray

from common.timing import Clock
from edge.anonymise.egress_entry import PREVIEW, Leaving
from edge.anonymise.egress_log import EgressLog
from edge.anonymise.redaction import Redactor, to_jpeg
from edge.capture.frames import Frame

LONGEST = timedelta(minutes=10)
"""A live view ends after this by itself; it is for aiming a camera, not for watching people."""

EVERY_S = 0.25
"""Seconds of the stream between two pictures that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a live view showed.

    Attributes:
        pictures: How many.
        size_bytes: Their bytes.
        began_at: When the first could be seen.
        ended_at: When the last was taken away.
    """

    pictures: int
    size_bytes: int
    began_at: datetime
    ended_at: datetime


class Preview:
    """One live view of one camera."""

    def __init__(
        self, redactor: Redactor, *, log: EgressLog, clock: Clock, stop: threading.Event
    ) -> None:
        """Prepare; nothing is shown yet.

        Args:
            redactor: Covers road users and faces.
            log: Where the view is written down, before its first picture and after its last.
            clock: Tells when the time is over.
            stop: Ends the view when set; set when the time is over.
        """
        self._redactor = redactor
        self._log = log
        self._clock = clock
        self._stop = stop

    def run(
        self,
        frames: Iterable[Frame | None],
        *,
        camera_id: str,
        show: Callable[[bytes], None],
        draw: Callable[[NDArray[uint8]], None] = lambda _image: None,
        longest: timedelta = LONGEST,
    ) -> Shown:
        """Show pictures until the frames end, the time is over, or ``stop`` is set.

        Args:
            frames: What the camera sees; None while it gives nothing.
            camera_id: For the log.
            show: Takes JPEG files.
            draw: Draws on a redacted picture, such as the counting lines.
            longest: How long, at most ten minutes.

        Raises:
            ValueError: Longer than ten minutes.
            UnreachableError: The log cannot be written; nothing is shown then.
        """
        if not timedelta(0) < longest <= LONGEST:
            raise ValueError(f"live view of {longest}, expected up to {LONGEST}")
        began_at = self._clock.now()
        self._note(camera_id, Shown(pictures=0, size_bytes=0, began_at=began_at, ended_at=began_at))
        pictures, size_bytes = 0, 0
        try:
            for picture in self._pictures(frames, draw, longest):
                show(picture)
                pictures, size_bytes = pictures + 1, size_bytes + len(picture)
        finally:
            shown = Shown(
                pictures=pictures,
                size_bytes=size_bytes,
                began_at=began_at,
                ended_at=self._clock.now(),
            )
            self._note(camera_id, shown)
        return shown

    def _pictures(
        self,
        frames: Iterable[Frame | None],
        draw: Callable[[NDArray[uint8]], None],
        longest: timedelta,
    ) -> Iterator[bytes]:
        end_s = self._clock.monotonic_s() + longest.total_seconds()
        next_s = float("-inf")
        for frame in frames:
            if self._stop.is_set() or self._clock.monotonic_s() >= end_s:
                break
            if frame is None or frame.captured_s < next_s:
                continue
            next_s = frame.captured_s + EVERY_S
            redacted = self._redactor.add(frame)
            if redacted is not None:
                draw(redacted.image)
                yield to_jpeg(redacted.image)
        # The camera's thread waits for this one.
        self._stop.set()

    def _note(self, camera_id: str, shown: Shown) -> None:
        self._log.append(
            Leaving(
                kind=PREVIEW,
                cameras=(camera_id,),
                items=shown.pictures,
                size_bytes=shown.size_bytes,
                first_at=shown.began_at,
                last_at=shown.ended_at,
            )
        )
