"""A clip through the off-the-shelf chain → its events and its speed, to compare with.

Ultralytics ``track`` (ByteTrack with its defaults) and a counter that fires whenever a
track's bottom centre changes its side of a line: what most traffic counters built on
YOLO do. Runs as a process of its own, so that its memory and its threads are its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from common.errors import ConfigError
from common.geometry import Direction, Point, Segment
from common.road_users import ROAD_USERS, RoadUser
from common.truth import CountedEvent, Truth, load_truth
from models.runtime import prepare

_CONFIDENCE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRun:
    """What the off-the-shelf chain made of one clip.

    Attributes:
        events: Side changes, times by frame number and nominal rate.
        fps: Frames per second, model loading left out.
        frames: Frames of the clip.
        duration_s: Frames over nominal rate.
    """

    events: tuple[CountedEvent, ...]
    fps: float
    frames: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class _Sighting:
    frame: int
    track: int
    road_user: RoadUser
    foot: Point


def run_baseline(
    clip: Path, *, model: Path, truth: Truth | None, input_px: int | tuple[int, int] = 640
) -> BaselineRun:
    """Count one clip the off-the-shelf way.

    Args:
        clip: A video file.
        model: A checkpoint or ONNX file; 80 COCO classes or our six.
        truth: Its lines are counted at; without one only the speed is measured.
        input_px: Network input: a side, or height and width.

    Raises:
        ConfigError: The train extra is missing, or the clip is not a video.
    """
    prepare()
    import cv2

    video = cv2.VideoCapture(str(clip))
    rate = video.get(cv2.CAP_PROP_FPS)
    video.release()
    if rate <= 0:
        raise ConfigError(f"clip {clip} is not a video, expected one with a frame rate")
    counter = _SideChanges(truth, rate=rate) if truth else None
    frames, started_s = 0, 0.0
    for frames, sightings in enumerate(_track(clip, model=model, input_px=input_px), start=1):
        if frames == 1:
            # The first frame waits for the model to load and warm up.
            started_s = time.monotonic()
        for sighting in sightings if counter else ():
            counter.see(sighting)  # type: ignore[union-attr]
    elapsed_s = time.monotonic() - started_s
    return BaselineRun(
        events=tuple(counter.events) if counter else (),
        fps=(frames - 1) / elapsed_s if frames > 1 else 0.0,
        frames=frames,
        duration_s=frames / rate,
    )


def _track(
    clip: Path, *, model: Path, input_px: int | tuple[int, int]
) -> Iterator[list[_Sighting]]:
    from ultralytics import YOLO

    from models.runtime import use_all_threads

    network = YOLO(str(model), task="detect")
    by_name = {user.value: user for user in ROAD_USERS}
    results = network.track(
        str(clip),
        stream=True,
        imgsz=list(input_px) if isinstance(input_px, tuple) else input_px,
        conf=_CONFIDENCE,
        tracker="bytetrack.yaml",
        device="cpu",
        verbose=False,
    )
    for frame, result in enumerate(results):
        if frame == 0:
            use_all_threads()
        boxes = result.boxes
        if boxes is None or boxes.id is None:
            yield []
            continue
        rows = zip(boxes.xyxy.tolist(), boxes.id.tolist(), boxes.cls.tolist(), strict=True)
        yield [
            _Sighting(frame, int(track), by_name[name], Point((x1 + x2) / 2, y2))
            for (x1, _, x2, y2), track, cls in rows
            if (name := result.names[int(cls)]) in by_name
        ]


class _SideChanges:
    """Fire whenever the foot point of a track is on another side than one frame before."""

    def __init__(self, truth: Truth, *, rate: float) -> None:
        self._lines = [(ln.name, Segment(Point(*ln.p1), Point(*ln.p2))) for ln in truth.lines]
        self._rate = rate
        self._last: dict[int, Point] = {}
        self.events: list[CountedEvent] = []

    def see(self, sighting: _Sighting) -> None:
        """Take one box of one frame."""
        before = self._last.get(sighting.track)
        self._last[sighting.track] = sighting.foot
        if before is None:
            return
        for name, segment in self._lines:
            old, new = segment.signed_distance(before), segment.signed_distance(sighting.foot)
            if (old < 0) == (new < 0):
                continue
            share = old / (old - new)
            x = before.x + share * (sighting.foot.x - before.x)
            y = before.y + share * (sighting.foot.y - before.y)
            if 0 <= segment.position(Point(x, y)) <= 1:
                self.events.append(
                    CountedEvent(
                        section=name,
                        direction=Direction.RIGHT if new > old else Direction.LEFT,
                        road_user=sighting.road_user,
                        time_s=sighting.frame / self._rate,
                    )
                )


def main(
    clip: Path,
    model: Annotated[Path, typer.Option()],
    truth: Annotated[Path | None, typer.Option()] = None,
    input_px: Annotated[str, typer.Option(help="640, or 384x640 (height x width)")] = "640",
) -> None:
    """Print one run as JSON."""
    sides = [int(side) for side in input_px.split("x")]
    run = run_baseline(
        clip,
        model=model,
        truth=load_truth(truth) if truth else None,
        input_px=sides[0] if len(sides) == 1 else (sides[0], sides[1]),
    )
    json.dump(to_dict(run), sys.stdout)


def to_dict(run: BaselineRun) -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        "fps": run.fps,
        "frames": run.frames,
        "duration_s": run.duration_s,
        "events": [
            {
                "section": event.section,
                "direction": event.direction.value,
                "class": event.road_user.value,
                "time_s": event.time_s,
            }
            for event in run.events
        ],
    }


if __name__ == "__main__":
    typer.run(main)
