"""How the cameras did before and with a new model → whether it may stay.

What a new model can spoil shows in three ways: it fails (a camera's chain ends with an error
and begins again), it blocks (a camera gives nothing any more), or it is slow (frames are
dropped). Whether it counts as well as the one before was the gate's question.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.release import reasons
from edge.health import CameraHealth, CameraState
from edge.update.record import CameraRate

LEAST_RATE_SHARE = 0.5
"""Of the frames a second before. Scenes change by less within minutes, and a box that drops
every second frame still counts; below that, tracks begin to break."""

MOST_RESTARTS = 3
"""A camera's chain that ended so often with an error: once may be the camera's own doing."""

LEAST_SAMPLES = 3
"""Health reports a verdict needs: one alone may fall into a hiccup."""

_KEPT_SAMPLES = 30
_SETTLE_SHARE = 0.25


class Rates:
    """Frames a second of each camera, over the last few health reports."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT_SAMPLES))
        self._newest: Sequence[CameraHealth] = ()
        self._reports = 0

    def note(self, cameras: Sequence[CameraHealth]) -> None:
        """Called as often as one likes; a report counts once."""
        if not cameras or cameras is self._newest:
            return
        self._newest = cameras
        self._reports += 1
        for camera in cameras:
            if gives_numbers(camera):
                self._samples[camera.camera_id].append(camera.fps)

    def forget(self) -> None:
        """Begin anew, as another model may run from here on."""
        self._samples.clear()
        self._reports = 0

    @property
    def is_known(self) -> bool:
        """Whether the cameras were seen long enough to compare with."""
        return self._reports >= LEAST_SAMPLES

    def means(self) -> tuple[CameraRate, ...]:
        """Of every camera that gave numbers."""
        return tuple(
            CameraRate(camera=camera, fps=sum(samples) / len(samples))
            for camera, samples in sorted(self._samples.items())
            if samples
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTimes:
    """How long a new model is watched.

    Attributes:
        watch_s: From the first health report with it.
        settle_s: At the beginning, while cameras are opened again; nothing is judged then.
        most_settle_s: So long a camera may take to come back, however short the watch.
    """

    watch_s: float
    most_settle_s: float = 60.0

    @property
    def settle_s(self) -> float:
        """A quarter of the watch, but no more than a camera needs to come back."""
        return min(self.most_settle_s, self.watch_s * _SETTLE_SHARE)


class Watch:
    """Looks at health reports until it is sure."""

    def __init__(self, before: Sequence[CameraRate], times: WatchTimes) -> None:
        """Expect the cameras of ``before`` to do as they did."""
        self._before: Mapping[str, float] = {rate.camera: rate.fps for rate in before}
        self._times = times
        self._began_s: float | None = None
        self._newest: Sequence[CameraHealth] = ()
        self._judged: dict[str, list[CameraHealth]] = defaultdict(list)
        self._reports = 0
        self._is_settled = False
        self._away = set(self._before)

    def note(self, cameras: Sequence[CameraHealth], *, at_s: float) -> None:
        """Called as often as one likes; a report counts once."""
        if not cameras or cameras is self._newest:
            return
        self._newest = cameras
        if self._began_s is None:
            self._began_s = at_s
        self._away -= {camera.camera_id for camera in cameras if _is_back(camera)}
        if not self._settled(at_s - self._began_s):
            return
        self._reports += 1
        for camera in cameras:
            self._judged[camera.camera_id].append(camera)

    def fault(self, *, at_s: float) -> str | None:
        """Why the model must go, or None so far."""
        restarts = {each.camera_id: each.restarts for each in self._newest}
        if any(restarts.get(camera, 0) >= MOST_RESTARTS for camera in self._before):
            return reasons.CAMERA_FAILED
        if not self.is_over(at_s=at_s):
            return None
        if any(self._is_lost(camera) for camera in self._before):
            return reasons.CAMERA_LOST
        if any(self._is_slow(camera, fps) for camera, fps in self._before.items()):
            return reasons.SLOW
        return None

    def is_over(self, *, at_s: float) -> bool:
        """Whether the time is over and enough was seen."""
        if self._began_s is None or self._reports < LEAST_SAMPLES:
            return False
        return at_s - self._began_s >= self._times.watch_s

    def _settled(self, elapsed_s: float) -> bool:
        """Whether judging may begin: a loaded box opens its cameras late."""
        if not self._is_settled:
            least_s = self._times.most_settle_s if self._away else self._times.settle_s
            self._is_settled = elapsed_s >= least_s
        return self._is_settled

    def _is_lost(self, camera: str) -> bool:
        """Nothing in the last third: it may come late, it must not go."""
        seen = self._judged[camera]
        if seen and seen[-1].state is CameraState.FINISHED:
            return False
        return not any(gives_numbers(each) for each in seen[-max(1, len(seen) // 3) :])

    def _is_slow(self, camera: str, fps_before: float) -> bool:
        rates = [each.fps for each in self._judged[camera] if gives_numbers(each)]
        return bool(rates) and sum(rates) / len(rates) < fps_before * LEAST_RATE_SHARE


def gives_numbers(camera: CameraHealth) -> bool:
    """Whether frames of this camera were measured since the last report."""
    return camera.state is CameraState.RUNNING and camera.fps > 0


def _is_back(camera: CameraHealth) -> bool:
    return camera.state is CameraState.FINISHED or gives_numbers(camera)
