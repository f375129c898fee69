"""Recorded detections of real clips → our tracker beside ByteTrack of ``trackers``, as JSON.

Both get the same detections and the same counter, so that only the tracker differs.
Run: python -m tests.bench.bench_trackers SHARED_DATA [MODEL]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker

from common.geometry import Box
from common.road_users import ROAD_USERS
from common.site import Camera
from common.truth import CountedEvent, Truth, compare, load_truth, totals
from edge.capture.files import FileSource
from edge.container import edge_container
from edge.detect.detections import Detections
from edge.measure.crossings import CountCrossings
from edge.track.tracker import Tracker
from edge.track.tracks import TrackedFrame, TrackPoint

Follow = Callable[[Detections], TrackedFrame]


class ReferenceTracker:
    """ByteTrack of the ``trackers`` library behind our protocol, with its defaults."""

    def __init__(self, rate: float) -> None:
        self._tracker = ByteTrackTracker(frame_rate=rate)

    def __call__(self, seen: Detections) -> TrackedFrame:
        """Follow one frame; unconfirmed tracks (id -1) are left out."""
        found = self._tracker.update(
            sv.Detections(xyxy=seen.boxes_px, confidence=seen.scores, class_id=seen.classes)
        )
        ids = found.tracker_id if found.tracker_id is not None else np.empty(0)
        rows = zip(found.xyxy, ids, found.class_id, found.confidence, strict=True)
        return TrackedFrame(
            camera_id=seen.camera_id,
            captured_s=seen.captured_s,
            captured_at=seen.captured_at,
            points=tuple(
                TrackPoint(
                    track_id=int(track),
                    at_s=seen.captured_s,
                    at=seen.captured_at,
                    box_px=Box(*map(float, box)),
                    road_user=ROAD_USERS[int(cls)],
                    score=float(score),
                )
                for box, track, cls, score in rows
                if track >= 0
            ),
        )


def measure(
    recorded: list[Detections], camera: Camera, follow: Follow
) -> tuple[list[CountedEvent], float]:
    """Events, and the tracker's own milliseconds per frame."""
    counter, events, spent_s = (
        CountCrossings(camera.sections, frame_size=camera.frame_size),
        [],
        0.0,
    )
    for seen in recorded:
        started_s = time.perf_counter()
        tracked = follow(seen)
        spent_s += time.perf_counter() - started_s
        events += counter.update(tracked)
    events += counter.finish()
    counted = [
        CountedEvent(section=e.section, direction=e.direction, road_user=e.road_user, time_s=e.at_s)
        for e in events
    ]
    return counted, spent_s / len(recorded) * 1000


def main(shared: Path, model: str | None) -> None:
    """Print one row per clip and tracker."""
    engine = edge_container(model=model).engine()
    rows = []
    for path in sorted((shared / "truth").glob("*.json")):
        truth: Truth = load_truth(path)
        camera = truth.camera("clip")
        source = FileSource(shared / "clips" / f"{path.stem}.mp4", camera_id="clip")
        recorded = [engine.detect(f, frame_size=camera.frame_size) for f in source.frames()]
        duration_s = recorded[-1].captured_s
        rate = len(recorded) / duration_s
        for name, follow in (("ours", Tracker().update), ("bytetrack", ReferenceTracker(rate))):
            counted, per_frame_ms = measure(recorded, camera, follow)
            total = totals(compare(counted, truth, duration_s=duration_s))
            rows.append(
                {
                    "clip": path.stem,
                    "tracker": name,
                    "ms_per_frame": round(per_frame_ms, 3),
                    **total,
                }
            )
    json.dump(rows, sys.stdout, indent=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
