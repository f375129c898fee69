"""A source → how fast the pipeline is against the network alone, in one run.

Both are measured in turn, because machines change their speed from minute to minute:
quote the ratio, not the seconds.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from common.errors import ConfigError
from common.site import Camera, Section
from common.timing import SystemClock
from edge.capture.frames import Frame, FrameSource
from edge.capture.ingestion import DataIngestionPipeline
from edge.capture.opening import open_source
from edge.capture.outages import Gap
from edge.container import SCHEMES, EdgeContainer, camera_pipeline
from edge.counting.count import camera_for, capture_settings
from edge.simulate.source_uri import is_simulated

_BARE_S = 4.0
_WARM_UP = 5
_MB = 1e6


class _TimedSource:
    """Another source that notes when each frame was decoded."""

    def __init__(self, source: FrameSource, decoded_s: dict[int, float]) -> None:
        self._source = source
        self._decoded_s = decoded_s

    @property
    def native_size(self) -> tuple[int, int]:
        return self._source.native_size

    @property
    def expected_frames(self) -> int | None:
        return self._source.expected_frames

    @property
    def is_live(self) -> bool:
        return self._source.is_live

    def frames(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            self._decoded_s[frame.index] = time.monotonic()
            yield frame

    def close(self) -> None:
        self._source.close()


@dataclass(slots=True)
class _Timings:
    """What the rounds measured."""

    bare_fps: list[float] = field(default_factory=list)
    pipeline_fps: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    event_delay_s: list[float] = field(default_factory=list)
    frames: int = 0
    crossings: int = 0


def benchmark_camera(source: str, *, site: Path | None, camera_id: str | None) -> Camera:
    """The geometry to measure with: the site file's, else a line across each half of the frame.

    Raises:
        ConfigError: The site file is not valid.
    """
    if site is not None or is_simulated(source):
        return camera_for(source, site=site, camera_id=camera_id, truth=None)
    opened = open_source(source, camera_id="benchmark", clock=SystemClock(), schemes=SCHEMES)
    width, height = opened.native_size
    opened.close()
    lines = {"upper": height * 0.4, "lower": height * 0.7}
    return Camera(
        id="benchmark",
        source=source,
        frame_size=(width, height),
        sections=tuple(Section(name=n, line=((0, y), (width, y))) for n, y in lines.items()),
    )


def benchmark(container: EdgeContainer, camera: Camera, *, rounds: int) -> dict[str, Any]:
    """Measure ``rounds`` pairs of the network alone and the whole pipeline.

    Returns:
        ``bare_inference_fps``, ``pipeline_fps`` (medians), ``ratio`` (median over the
        pairs), ``latency_ms`` from decoded frame to measured frame with the pipeline at
        full load, ``event_delay_s`` of stream time from a crossing to its report (a
        crossing is held so that its class rests on both sides of the line),
        ``peak_rss_mb`` of this process.

    Raises:
        ConfigError: The source gives no frame.
    """
    timings = _Timings()
    size = _input_size(container, camera)
    for _ in range(rounds):
        timings.bare_fps.append(_bare_fps(container, size))
        _run_pipeline(container, camera, timings)
    ratios = [p / b for p, b in zip(timings.pipeline_fps, timings.bare_fps, strict=True)]
    info = container.engine().info
    return {
        "model": info.name,
        "version": info.version,
        "backend": info.backend,
        "input": f"{size[1]}x{size[0]}",
        "lanes": container.lanes(),
        "rounds": rounds,
        "frames": timings.frames,
        "crossings": timings.crossings,
        "bare_inference_fps": round(median(timings.bare_fps), 1),
        "pipeline_fps": round(median(timings.pipeline_fps), 1),
        "ratio": round(median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "latency_ms": _percentiles(timings.latency_ms),
        "event_delay_s": _percentiles(timings.event_delay_s),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MB, 1),
    }


def _input_size(container: EdgeContainer, camera: Camera) -> tuple[int, int]:
    for item in _capture(container, camera, {}):
        if isinstance(item, Gap):
            continue
        return container.engine().input_size(item.frame)
    raise ConfigError(f"{camera.source} gave no frame, expected a clip to measure with")


def _bare_fps(container: EdgeContainer, size: tuple[int, int]) -> float:
    """The same session with nothing around it, as many inferences at once as the pipeline runs."""
    backend = container.backend()
    images = np.full((1, 3, *size), 0.5, dtype=np.float32)
    for _ in range(_WARM_UP):
        backend.infer(images)
    started_s = time.monotonic()

    def infer_until_time() -> int:
        runs = 0
        while time.monotonic() - started_s < _BARE_S:
            backend.infer(images)
            runs += 1
        return runs

    lanes = container.lanes()
    with ThreadPoolExecutor(lanes) as pool:
        runs = sum(done.result() for done in [pool.submit(infer_until_time) for _ in range(lanes)])
    return runs / (time.monotonic() - started_s)


def _run_pipeline(container: EdgeContainer, camera: Camera, timings: _Timings) -> None:
    decoded_s: dict[int, float] = {}
    capture = _capture(container, camera, decoded_s)
    pipeline = camera_pipeline(
        container, camera, container.engine(), capture=capture, in_flight=container.lanes()
    )
    started_s, frames = time.monotonic(), 0
    for step in pipeline:
        now_s = time.monotonic()
        if step.frame is None:
            continue
        frames += 1
        timings.latency_ms.append((now_s - decoded_s.pop(step.frame.index)) * 1000)
        for crossing in step.measured.crossings:
            timings.event_delay_s.append(step.frame.captured_s - crossing.at_s)
            timings.crossings += 1
    timings.pipeline_fps.append(frames / (time.monotonic() - started_s))
    timings.frames += frames


def _capture(
    container: EdgeContainer, camera: Camera, decoded_s: dict[int, float]
) -> DataIngestionPipeline:
    clock = container.clock()

    def open_camera() -> FrameSource:
        source = open_source(camera.source, camera_id=camera.id, clock=clock, schemes=SCHEMES)
        return _TimedSource(source, decoded_s)

    return DataIngestionPipeline(
        open_camera,
        camera_id=camera.id,
        clock=clock,
        stop=container.stop(),
        settings=capture_settings(container.lanes()),
    )


def _percentiles(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {f"p{share}": round(float(np.percentile(values, share)), 2) for share in (50, 95, 99)}
