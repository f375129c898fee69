"""Settings of a box → who takes its background plates, or tells that none may be taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from common.errors import ConfigError
from common.site import Camera
from common.timing import Clock
from edge.anonymise.plate_pictures import PlatePainter
from edge.anonymise.plates import OpenPainter, PlateSettings, PlateTaker
from edge.anonymise.redaction import Detector, FaceFinder
from edge.capture.frames import Frame
from edge.capture.quality import QualityVerdict
from edge.config import EdgeConfig
from edge.track.tracks import TrackedFrame
from edge.worker import Onlooker


class Onlookers:
    """Several who look at the frames of one camera, one after the other."""

    def __init__(self, *onlookers: Onlooker) -> None:
        self._onlookers = onlookers

    def offer(self, frame: Frame, tracked: TrackedFrame, quality: QualityVerdict) -> None:
        """Let each look."""
        for onlooker in self._onlookers:
            onlooker.offer(frame, tracked, quality)

    def end_run(self) -> None:
        """Tell each."""
        for onlooker in self._onlookers:
            onlooker.end_run()


def together(*onlookers: Onlooker | None) -> Onlooker | None:
    """All of them as one, None where there is nobody."""
    some = [onlooker for onlooker in onlookers if onlooker is not None]
    return Onlookers(*some) if some else None


def plate_taker(
    config: EdgeConfig,
    cameras: Sequence[Camera],
    *,
    detector: Callable[[], Detector],
    clock: Clock,
    settings: PlateSettings | None = None,
) -> PlateTaker:
    """Who takes plates of these cameras; without the word of edge.yaml they take none.

    Args:
        config: Of the box.
        cameras: That run.
        detector: What finds road users; asked when the first plate is due.
        clock: Of the agent.
        settings: How a plate is taken.
    """

    def open_painter() -> PlatePainter:
        if config.privacy.face_model is None:
            raise ConfigError(
                "plates_on_request needs privacy.face_model, expected a YuNet face detector",
                hint="name one, or take plates_on_request out of edge.yaml",
            )
        return PlatePainter(detector(), faces=FaceFinder(config.privacy.face_model))

    is_allowed: OpenPainter | None = open_painter if config.plates_on_request else None
    return PlateTaker(
        [camera.id for camera in cameras], open_painter=is_allowed, clock=clock, settings=settings
    )
