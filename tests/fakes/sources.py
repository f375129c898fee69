"""A script of frames and errors → a source, and cameras that come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from common.errors import ConfigError, UnreachableError
from edge.capture.frames import Frame, FrameSource
from tests.fakes.frames import make_frame

Step = float | ConfigError | UnreachableError | threading.Event
"""A capture time, an error to raise, or an event to wait for."""


class ScriptedSource:
    """Plays its steps once; a step that is an event keeps the reader waiting."""

    def __init__(self, *steps: Step, is_live: bool = True, camera_id: str = "north") -> None:
        self.is_closed = threading.Event()
        self._steps = steps
        self._is_live = is_live
        self._camera_id = camera_id

    @property
    def native_size(self) -> tuple[int, int]:
        return (32, 32)

    @property
    def expected_frames(self) -> int | None:
        return None if self._is_live else sum(isinstance(step, float) for step in self._steps)

    @property
    def is_live(self) -> bool:
        return self._is_live

    def frames(self) -> Iterator[Frame]:
        index = 0
        for step in self._steps:
            if self.is_closed.is_set():
                return
            if isinstance(step, threading.Event):
                while not (step.wait(0.01) or self.is_closed.is_set()):
                    pass
            elif isinstance(step, Exception):
                raise step
            else:
                frame = make_frame(self._camera_id, size=(32, 32), captured_s=step)
                yield replace(frame, index=index)
                index += 1

    def close(self) -> None:
        self.is_closed.set()


def opens(
    *outcomes: FrameSource | ConfigError | UnreachableError, then: threading.Event | None = None
) -> Callable[[], FrameSource]:
    """A camera whose openings end as listed; after them it is unreachable.

    ``then`` is set when the list has run out.
    """
    left: Sequence[FrameSource | ConfigError | UnreachableError] = list(outcomes)

    def open_camera() -> FrameSource:
        nonlocal left
        if not left:
            if then is not None:
                then.set()
            raise UnreachableError("nobody answers")
        outcome, *left = left
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return open_camera
