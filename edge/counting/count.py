"""One source and its counting lines → a finished count, with progress on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from common.errors import ConfigError
from common.logs import without_credentials
from common.site import Camera, load_site
from common.truth import load_truth
from edge.capture.ingestion import CaptureSettings, CaptureStatus
from edge.container import EdgeContainer, camera_pipeline
from edge.counting.annotate import AnnotatedVideo
from edge.counting.report import Count
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import is_simulated, parse_source

Progress = Callable[[int, int | None], None]
"""Called with frames processed and frames expected (None: unknown)."""


def camera_for(
    source: str, *, site: Path | None, camera_id: str | None, truth: Path | None
) -> Camera:
    """The counting geometry for a source: the site file's, a simulation's own, or the truth's.

    Raises:
        ConfigError: None of the three is given, or the site file is not valid.
    """
    if site is not None:
        camera = load_site(site).camera(camera_id)
    elif is_simulated(source):
        camera = scene_camera(parse_source(source))
    elif truth is not None:
        camera = load_truth(truth).camera("camera")
    else:
        raise ConfigError(
            f"nothing says where to count in {without_credentials(source)}",
            hint="name a site file with --site, see docs/technician.md for an example",
        )
    if not any(section.line for section in camera.sections):
        raise ConfigError(
            f"camera {camera.id!r} has no counting line, expected one or more under sections",
            hint="draw one with: its-camera-ai edge site-preview SOURCE --site site.yaml",
        )
    return camera.model_copy(update={"source": source})


def count_source(
    container: EdgeContainer,
    camera: Camera,
    *,
    video: AnnotatedVideo | None = None,
    on_progress: Progress = lambda _done, _expected: None,
    duration_s: float | None = None,
) -> Count:
    """Count everything that crosses a line until the source ends or ``duration_s`` passed.

    Raises:
        ConfigError: The source, the model or the geometry cannot work.
        UnreachableError: The source cannot be reached, or went away.
    """
    engine = container.engine()
    settings = CaptureSettings(keeps_trying=False)
    capture = container.capture(camera, settings=settings)
    pipeline = camera_pipeline(container, camera, engine, capture=capture)
    count = Count(source=without_credentials(camera.source), camera=camera, engine=engine.info)
    started_s = time.monotonic()
    for step in pipeline:
        count.add(step)
        if video is not None:
            video.add(step)
        if step.frame is not None:
            on_progress(count.processed, capture.expected_frames)
            if duration_s is not None and step.frame.captured_s >= duration_s:
                container.stop().set()
    count.wall_s = time.monotonic() - started_s
    _account(count, capture.status)
    return count


def _account(count: Count, status: CaptureStatus) -> None:
    count.read, count.dropped = status.frames_read, status.frames_dropped
    if count.processed == 0:
        raise ConfigError(
            f"{count.source} gave no frame, expected at least one",
            hint="check the source with: its-camera-ai edge doctor",
        )
