"""One source and its counting lines → a finished count, with progress on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from common.errors import ConfigError
from common.logs import without_credentials
from common.site import Camera, load_site
from common.truth import Truth, load_truth
from edge.capture.ingestion import CaptureSettings, CaptureStatus
from edge.container import EdgeContainer, camera_pipeline
from edge.counting.annotate import AnnotatedVideo
from edge.counting.report import Count
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import is_simulated, parse_source

Progress = Callable[[int, int | None], None]
"""Called with frames processed and frames expected (None: unknown)."""


def refuse_missing_folder(path: Path | None) -> None:
    """Check before a long run that a file can be written at its end.

    Raises:
        ConfigError: Its folder does not exist.
    """
    if path is not None and not path.parent.is_dir():
        raise ConfigError(
            f"{path} cannot be written, folder {path.parent} does not exist",
            hint="create the folder first",
        )


def refuse_other_lines(truth: Truth, camera: Camera) -> None:
    """Check that a truth file and a camera speak of the same lines.

    Raises:
        ConfigError: One has a line that the other has not.
    """
    ours = {section.name for section in camera.sections if section.line}
    theirs = {line.name for line in truth.lines}
    if ours != theirs:
        raise ConfigError(
            f"the truth file has the lines {sorted(theirs)}, expected those of camera "
            f"{camera.id!r}: {sorted(ours)}",
            hint="leave --site out to count at the lines of the truth file",
        )


def camera_for(
    source: str,
    *,
    site: Path | None,
    camera_id: str | None,
    truth: Path | None,
    needs_lines: bool = True,
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
    if needs_lines and not camera.sections:
        raise ConfigError(
            f"camera {camera.id!r} has no counting line, expected one or more under sections",
            hint="add one to the site file; edge site-preview shows a picture to read pixels from",
        )
    return camera.model_copy(update={"source": source})


def capture_settings(lanes: int) -> CaptureSettings:
    """One pass over a source: the first failure is final, and nothing is decoded for later.

    Args:
        lanes: How many frames are looked at side by side. From two on, one lane decodes
            while the others look; a thread for it alone would take a core from them.
    """
    if lanes > 1:
        return CaptureSettings(keeps_trying=False, read_ahead_frames=0)
    return CaptureSettings(keeps_trying=False)


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
    capture = container.capture(camera, settings=capture_settings(engine.lanes))
    pipeline = camera_pipeline(container, camera, engine, capture=capture, in_flight=engine.lanes)
    count = Count(source=without_credentials(camera.source), camera=camera, engine=engine.info)
    started_s, away_s = time.monotonic(), 0.0
    for step in pipeline:
        count.add(step)
        if video is not None:
            video.add(step)
        if step.frame is not None:
            on_progress(count.processed, capture.expected_frames)
        elif step.gap is not None:
            # A camera that went away must not keep a limited count running for ever.
            away_s = step.gap.until_s - count.first_s
        passed_s = max(count.duration_s, away_s)
        if duration_s is not None and passed_s >= duration_s:
            container.stop().set()
    count.wall_s = time.monotonic() - started_s
    _account(count, capture.status)
    return count


def _account(count: Count, status: CaptureStatus) -> None:
    count.read, count.dropped = status.frames_read, status.frames_dropped
    if count.processed == 0:
        raise ConfigError(
            f"{count.source} gave no frame, expected at least one",
            hint="play it with another program, or use a longer clip",
        )
