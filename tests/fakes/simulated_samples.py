"""A simulated scene → labelled samples, as a technician would have drawn them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from common.samples import LabelSource, Sample
from edge.simulate.labels import write_labelled_frames
from edge.simulate.source_uri import parse_source
from models.federated.image_batches import boxes_of
from models.labels import read_rows

START = datetime(2026, 5, 4, 12, tzinfo=UTC)


def samples_of_scene(source: str, scratch: Path, *, frames: int) -> list[Sample]:
    """So many frames of a scene with their exact boxes.

    Args:
        source: Such as ``simulate:junction?seed=7&light=night``.
        scratch: An empty folder for pictures and labels.
        frames: How many, two seconds of the scene apart.
    """
    write_labelled_frames(parse_source(source), scratch, frames=frames)
    pictures = sorted((scratch / "images").iterdir())
    return [
        Sample(
            id=f"{index:016x}",
            camera="cam-1",
            taken_at=START + timedelta(seconds=2 * index),
            source=LabelSource.TECHNICIAN,
            boxes=boxes_of(read_rows(scratch / "labels" / f"{picture.stem}.txt")),
            jpeg=picture.read_bytes(),
        )
        for index, picture in enumerate(pictures)
    ]
