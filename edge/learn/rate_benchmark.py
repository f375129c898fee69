"""A simulated camera → frames per second with and without somebody training beside it.

The stand-in for the trainer multiplies matrices, as training does, and never rests. It runs
three ways in turn: not at all, as the agent starts its node (lowest priority, one thread), and
as a careless program would (normal priority, one thread per core).
"""

from __future__ import annotations

import os
import subprocess  # nosec B404
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from edge.capture.ingestion import CaptureSettings
from edge.container import EdgeContainer, camera_pipeline
from edge.learn.background import ONE_THREAD, push_back
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source

SOURCE = "simulate:road?seed=5&size=640x352&fps=10&pace=1&vehicles=6"
WAYS = ("alone", "beside_background", "beside_careless")
_WARM_UP_S = 2.0
# Three matrices of 4 MB leave the cache as layers of a network do.
_TRAINER = """
import numpy as np
a = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
while True:
    a = a @ a
    a /= a.max()
"""


def measure_rates(
    container: EdgeContainer, source: str, *, seconds: float, rounds: int
) -> dict[str, Any]:
    """Count for a while in each way, in turn, and say how many frames were measured.

    Args:
        container: Counts as the agent does.
        source: Paced scene, so that frames are lost when nobody takes them in time.
        seconds: Of each measurement.
        rounds: Of all ways; machines change their speed.

    Returns:
        Frames per second of each way, every one and the median, and the share that is kept.

    Raises:
        ConfigError: The source is no scene.
    """
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            with _trainer(way):
                rates[way].append(_fps(container, source, seconds))
    middle = {way: round(median(values), 2) for way, values in rates.items()}
    alone = middle["alone"] or 1.0
    return {
        "source": source,
        "wanted_fps": parse_source(source).fps,
        "cores": len(os.sched_getaffinity(0)),
        "seconds": seconds,
        "rounds": rounds,
        "fps": middle,
        "all_fps": {way: [round(value, 2) for value in values] for way, values in rates.items()},
        "kept_share": {
            way: round(fps / alone, 3) if alone else None for way, fps in middle.items()
        },
    }


def _fps(container: EdgeContainer, source: str, seconds: float) -> float:
    scene = parse_source(source)
    camera = scene_camera(scene, source=source)
    container.stop().clear()
    capture = container.capture(camera, settings=CaptureSettings(keeps_trying=False))
    pipeline = camera_pipeline(
        container, camera, container.engine(), capture=capture, in_flight=container.lanes()
    )
    began_s: float | None = None
    first_s = time.monotonic()
    frames = 0
    for step in pipeline:
        now_s = time.monotonic()
        if began_s is None:
            began_s = now_s if now_s - first_s >= _WARM_UP_S else None
            continue
        frames += step.frame is not None
        if now_s - began_s >= seconds:
            container.stop().set()
            return frames / (now_s - began_s)
    return 0.0


@contextmanager
def _trainer(way: str) -> Iterator[None]:
    """Somebody who keeps the processor busy, or nobody."""
    if way == "alone":
        yield
        return
    is_background = way == "beside_background"
    process = subprocess.Popen(  # noqa: S603 - our own words  # nosec B603
        [sys.executable, "-c", _TRAINER],
        env={**os.environ, **(ONE_THREAD if is_background else {})},
        process_group=0,
    )
    try:
        if is_background:
            push_back(process.pid)
        yield
    finally:
        process.kill()
        process.wait()
