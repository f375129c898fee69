"""A kept picture → better labels: a larger input, the mirrored view, all looks fused.

The network is the one that counts: looked at longer, not replaced. What several looks agree on
is more than one look knows (data distillation, Radosavovic et al., CVPR 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from common.samples import LabelSource, Sample
from edge.capture.frames import Frame
from edge.capture.pixels import Bgr
from edge.detect.detections import Detections
from edge.learn.agreement import agree
from edge.learn.fusion import fuse, mirrored_back
from edge.learn.marks import Mark, marks_of, to_boxes, to_regions
from edge.learn.pictures import from_jpeg, mirrored


class Looker(Protocol):
    """What finds road users in a picture; ``InferenceEngine`` does."""

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        """Boxes in pixels of ``frame_size`` (width, height)."""
        ...


def look_again(frame: Frame, lookers: Sequence[Looker]) -> tuple[Mark, ...]:
    """Every looker on the picture and on its mirror image, fused; in pixels of the picture."""
    height, width = frame.image.shape[:2]
    other_way = Frame(
        camera_id=frame.camera_id,
        index=frame.index,
        captured_s=frame.captured_s,
        captured_at=frame.captured_at,
        pixels=Bgr(mirrored(frame.image)),
        native_size=frame.native_size,
    )
    looks = []
    for looker in lookers:
        looks.append(looker.detect(frame, frame_size=(width, height)))
        seen = looker.detect(other_way, frame_size=(width, height))
        looks.append(mirrored_back(seen, width))
    return fuse(looks)


def taught(sample: Sample, lookers: Sequence[Looker]) -> Sample:
    """The sample with the labels that tracks and the better pass agree on.

    Raises:
        ConfigError: Its picture cannot be read.
    """
    image = from_jpeg(sample.jpeg)
    height, width = image.shape[:2]
    size = (width, height)
    frame = Frame(
        camera_id=sample.camera,
        index=0,
        captured_s=0.0,
        captured_at=sample.taken_at,
        pixels=Bgr(image),
        native_size=size,
    )
    marks = agree(marks_of(sample, size), look_again(frame, lookers))
    return sample.model_copy(
        update={
            "source": LabelSource.TEACHER,
            "boxes": to_boxes(marks.sure, size),
            "ignore": to_regions(marks.unsure, size),
        }
    )
