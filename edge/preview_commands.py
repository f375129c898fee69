"""``edge preview`` → a redacted live view on the box itself, for aiming a camera."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from numpy import uint8
from numpy.typing import NDArray

from common.site import Camera, load_site
from common.timing import Clock
from edge.agent_commands import DEFAULT_CONFIG
from edge.anonymise.egress_log import EgressLog
from edge.anonymise.live_view import LiveView
from edge.anonymise.preview import LONGEST, Preview
from edge.anonymise.redaction import SCORE_FLOOR, FaceFinder, Redactor
from edge.capture.frames import Frame
from edge.capture.ingestion import CapturedFrame, CaptureSettings, DataIngestionPipeline
from edge.config import EdgeConfig, load_config
from edge.container import EdgeContainer, agent_container, edge_container
from edge.counting.count import camera_for
from edge.counting.drawing import draw_sections
from edge.detect.decode import Thresholds
from edge.detect.engine import InferenceEngine
from edge.egress_commands import PREVIEWS
from edge.stopping import stop_on_signals

WITHOUT_AGENT = Path.home() / ".local" / "state" / "its-camera-ai" / "previews"
"""Where live views are written down on a machine without an agent."""

_MOST_MINUTES = LONGEST.total_seconds() / 60


def preview(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A camera of this box's configuration, or a video file, rtsp://…, /dev/video0 "
            "or simulate:junction",
        ),
    ],
    config: Annotated[
        Path, typer.Option(help="The agent's configuration (edge.yaml); may be missing.")
    ] = DEFAULT_CONFIG,
    site: Annotated[
        Path | None, typer.Option(help="Site file with the lines to draw, for another source.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option(help="Which camera of that site file, if it has several.")
    ] = None,
    face_model: Annotated[
        Path | None,
        typer.Option(
            help="YuNet face detector (.onnx); without one the whole picture is a mosaic.",
            envvar="ITS_FACE_MODEL",
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="How long; it ends by itself.", min=0.01, max=_MOST_MINUTES)
    ] = _MOST_MINUTES,
    port: Annotated[int, typer.Option(help="On 127.0.0.1; 0: a free one.", min=0, max=65535)] = 0,
) -> None:
    """Show what a camera sees, with every road user and face covered, on this machine only.

    To look from elsewhere: ssh -L PORT:127.0.0.1:PORT BOX. The view is never stored; that
    there was one is written into a log that edge egress show and verify read.
    """
    settings = load_config(config) if config.is_file() else None
    container = agent_container(settings) if settings else edge_container()
    chosen = _chosen(source, settings, site=site, camera_id=camera)
    face_file = face_model or (settings.privacy.face_model if settings else None)
    faces = FaceFinder(face_file) if face_file else None
    folder = settings.egress_folder / PREVIEWS if settings else WITHOUT_AGENT
    log = EgressLog(folder, clock=container.clock())
    try:
        with LiveView(port=port) as view:
            typer.echo(f"open {view.url}")
            typer.echo(f"it ends by itself after {minutes:g} minutes, or with Ctrl-C")
            if faces is None:
                typer.echo("no face model: the whole picture is a mosaic (--face-model)")
            stop_on_signals(container.stop())
            # A camera that hangs in its driver must not keep the view open.
            timer = threading.Timer(minutes * 60, container.stop().set)
            timer.daemon = True
            timer.start()
            shown = _preview(container, faces, log).run(
                _frames(container, chosen),
                camera_id=chosen.id,
                show=view.show,
                draw=_lines_of(chosen),
                longest=timedelta(minutes=minutes),
            )
            timer.cancel()
    finally:
        log.close()
    typer.echo(f"{shown.pictures} pictures shown, written down in {folder}")


def _preview(container: EdgeContainer, faces: FaceFinder | None, log: EgressLog) -> Preview:
    detector = InferenceEngine(
        container.backend(), thresholds=Thresholds(floor=SCORE_FLOOR), model=container.model()
    )
    redactor = Redactor(detector, faces=faces)
    return Preview(redactor, log=log, clock=container.clock(), stop=container.stop())


def _chosen(
    source: str, settings: EdgeConfig | None, *, site: Path | None, camera_id: str | None
) -> Camera:
    """The named camera of this box, or any other source with its lines, if it has some."""
    if settings is not None and site is None:
        for camera in load_site(settings.site_file).cameras:
            if camera.id == source:
                return camera
    if site is None and not source.startswith("simulate:"):
        return Camera(id="preview", source=source, frame_size=(1920, 1080))
    return camera_for(source, site=site, camera_id=camera_id, truth=None, needs_lines=False)


def _frames(container: EdgeContainer, camera: Camera) -> Iterator[Frame | None]:
    """Frames in the time of the stream: a recording must not rush past."""
    settings = CaptureSettings(keeps_trying=camera.source.startswith(("rtsp:", "rtsps:")))
    capture: DataIngestionPipeline = container.capture(camera, settings=settings)
    yield from _paced(capture, container.clock(), container.stop())


def _paced(
    capture: DataIngestionPipeline, clock: Clock, stop: threading.Event
) -> Iterator[Frame | None]:
    ahead_s: float | None = None
    for item in capture:
        if not isinstance(item, CapturedFrame):
            yield None
            continue
        now_s = clock.monotonic_s()
        if ahead_s is None or item.frame.captured_s - now_s < ahead_s:
            ahead_s = item.frame.captured_s - now_s
        stop.wait(item.frame.captured_s - now_s - ahead_s)
        yield item.frame


def _lines_of(camera: Camera) -> Callable[[NDArray[uint8]], None]:
    return lambda image: draw_sections(image, camera)
