"""Requests for plates and the frames of the cameras → answers, with a picture where it is allowed.

While nobody asks, no picture is kept. Asked, a camera's frames are looked at every few seconds
for about a minute; the temporal median of them shows nobody who moved on, and the painter
covers who did not. Without the word of edge.yaml there is no painter, and so no picture.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from numpy import uint8
from numpy.typing import NDArray

from common.plates import PlateOutcome, PlatePicture, PlateReport, PlateRequest
from common.timing import Clock
from edge.anonymise.plate_pictures import PlatePainter, TooBigPictureError, shrunk
from edge.capture.background import BackgroundPlate
from edge.capture.frames import Frame
from edge.capture.quality import QualityIssue, QualityVerdict
from edge.track.tracks import TrackedFrame

_UNUSABLE = frozenset({QualityIssue.BLOCKED, QualityIssue.FROZEN})
_NAP_S = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateSettings:
    """How a plate is taken.

    Attributes:
        frames: Pictures that the median is of.
        every_s: Seconds of the stream between two of them. With 21 frames a road user must
            stand still for more than half a minute to be seen, and then the painter covers them.
        wait_s: A camera that did not give enough pictures by then gives none.
    """

    frames: int = 21
    every_s: float = 3.0
    wait_s: float = 240.0


class OpenPainter(Protocol):
    """Makes the painter when the first plate is due: it loads a model."""

    def __call__(self) -> PlatePainter:
        """Ready to paint.

        Raises:
            ConfigError: A model cannot be used.
        """
        ...


@dataclass(slots=True, kw_only=True)
class _Collecting:
    number: int
    give_up_s: float
    background: BackgroundPlate
    frame_size: tuple[int, int] = (0, 0)
    first_s: float = 0.0
    last_s: float = float("-inf")

    def start_again(self, most: int) -> None:
        self.background = BackgroundPlate(most_samples=most)
        self.last_s = float("-inf")


@dataclass(slots=True)
class _Desk:
    """What several threads touch, under one lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    collecting: dict[str, _Collecting] = field(default_factory=dict)
    full: dict[str, _Collecting] = field(default_factory=dict)
    answers: list[PlateReport] = field(default_factory=list)


class PlateTaker:
    """Takes plates of the cameras of one box; a service, and an onlooker for each camera."""

    name = "plates"

    def __init__(
        self,
        cameras: Collection[str],
        *,
        open_painter: OpenPainter | None,
        clock: Clock,
        settings: PlateSettings | None = None,
    ) -> None:
        """Prepare.

        Args:
            cameras: Ids of the cameras of this box.
            open_painter: None where plates are not allowed.
            clock: Says when.
            settings: How a plate is taken.
        """
        self._cameras = frozenset(cameras)
        self._open_painter = open_painter
        self._clock = clock
        self._settings = settings or PlateSettings()
        self._desk = _Desk()
        self._is_full = threading.Event()
        self._painter: PlatePainter | None = None

    def ask(self, request: PlateRequest) -> None:
        """Begin to look, or say at once why not; the same request again changes nothing."""
        with self._desk.lock:
            if self._open_painter is None:
                self._answer(request.camera, request.number, PlateOutcome.NOT_ALLOWED)
            elif request.camera not in self._cameras:
                self._answer(request.camera, request.number, PlateOutcome.NO_SUCH_CAMERA)
            elif request.camera in self._desk.full:
                return
            elif (known := self._desk.collecting.get(request.camera)) is not None:
                known.number = max(known.number, request.number)
            else:
                give_up_s = self._clock.monotonic_s() + self._settings.wait_s
                self._desk.collecting[request.camera] = _Collecting(
                    number=request.number,
                    give_up_s=give_up_s,
                    background=BackgroundPlate(most_samples=self._most_samples),
                )

    def answers(self) -> list[PlateReport]:
        """What became ready since the last call."""
        with self._desk.lock:
            ready, self._desk.answers = self._desk.answers, []
            return ready

    def onlooker(self, camera_id: str) -> PlateOnlooker | None:
        """Who looks at the frames of one camera; nobody where plates are not allowed."""
        return None if self._open_painter is None else PlateOnlooker(self, camera_id)

    def offer(self, camera_id: str, frame: Frame) -> None:
        """Keep a small copy of the frame while a plate is wanted and one is due."""
        # Looked up without the lock: it is asked for every frame, and wrong by one at most.
        if camera_id not in self._desk.collecting:
            return
        with self._desk.lock:
            wanted = self._desk.collecting.get(camera_id)
            if wanted is None or self._is_too_soon(wanted, frame):
                return
            self._keep(wanted, frame)
            if len(wanted.background) == self._settings.frames:
                self._desk.full[camera_id] = self._desk.collecting.pop(camera_id)
                self._is_full.set()

    def run(self, stop: threading.Event) -> None:
        """Make pictures of what is full, until told to stop.

        Raises:
            ConfigError: A model cannot be used.
        """
        while self._open_painter is not None and not stop.is_set():
            self._is_full.wait(_NAP_S)
            self._is_full.clear()
            self._give_up()
            with self._desk.lock:
                full = dict(self._desk.full)
            for camera_id, collected in full.items():
                self._finish(camera_id, collected)

    @property
    def _most_samples(self) -> int:
        # One more than is wanted: with the last one the background would thin itself out.
        return self._settings.frames + 1

    def _is_too_soon(self, wanted: _Collecting, frame: Frame) -> bool:
        # A stream that began anew counts its seconds from the beginning.
        return wanted.last_s <= frame.captured_s < wanted.last_s + self._settings.every_s

    def _keep(self, wanted: _Collecting, frame: Frame) -> None:
        image = shrunk(frame.image)
        has_changed = wanted.background.shape not in (None, image.shape)
        if has_changed or frame.captured_s < wanted.last_s:
            wanted.start_again(self._most_samples)
        if not len(wanted.background):
            wanted.first_s = frame.captured_s
        wanted.frame_size, wanted.last_s = frame.native_size, frame.captured_s
        wanted.background.add(image)

    def _give_up(self) -> None:
        now_s = self._clock.monotonic_s()
        with self._desk.lock:
            late = {c: w for c, w in self._desk.collecting.items() if now_s >= w.give_up_s}
            for camera_id, wanted in late.items():
                del self._desk.collecting[camera_id]
                self._answer(camera_id, wanted.number, PlateOutcome.NO_PICTURES)

    def _finish(self, camera_id: str, collected: _Collecting) -> None:
        picture: PlatePicture | None = None
        try:
            picture = self._picture(camera_id, collected)
        except TooBigPictureError:
            log.warning("plate_too_big", camera_id=camera_id)
        with self._desk.lock:
            del self._desk.full[camera_id]
            outcome = PlateOutcome.FAILED if picture is None else PlateOutcome.TAKEN
            self._answer(camera_id, collected.number, outcome, picture)

    def _picture(self, camera_id: str, collected: _Collecting) -> PlatePicture:
        if self._painter is None and self._open_painter is not None:
            self._painter = self._open_painter()
        if self._painter is None:
            raise ValueError("a plate was collected that nobody may paint")
        median: NDArray[uint8] = collected.background.median()
        painted = self._painter.paint(median, camera_id=camera_id, at=self._clock.now())
        return PlatePicture.of(
            painted.webp,
            frame_size=collected.frame_size,
            frames=len(collected.background),
            span_s=max(0.0, collected.last_s - collected.first_s),
            covered=painted.covered,
        )

    def _answer(
        self,
        camera_id: str,
        number: int,
        outcome: PlateOutcome,
        picture: PlatePicture | None = None,
    ) -> None:
        report = PlateReport(
            camera=camera_id, number=number, at=self._clock.now(), outcome=outcome, picture=picture
        )
        self._desk.answers.append(report)


class PlateOnlooker:
    """Shows the taker the usable frames of one camera."""

    def __init__(self, taker: PlateTaker, camera_id: str) -> None:
        self._taker = taker
        self._camera_id = camera_id

    def offer(self, frame: Frame, _tracked: TrackedFrame, quality: QualityVerdict) -> None:
        """Look at a frame."""
        if not quality.issues & _UNUSABLE:
            self._taker.offer(self._camera_id, frame)

    def end_run(self) -> None:
        """The next run of the camera goes on with what this one gave."""
