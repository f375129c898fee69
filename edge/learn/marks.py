"""Boxes in pixels of a frame → what a sample keeps: shares of the picture, cut at its edges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from common.geometry import Box
from common.road_users import RoadUser
from common.samples import Region, SampleBox, SampleFacts

LEAST_SIDE_PX = 8.0
"""Smaller road users are neither taught nor denied: nobody draws them twice alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A road user at a place, as somebody believes.

    Attributes:
        box_px: In pixels of the frame.
        score: How sure, in [0, 1].
        is_seen: False for a place that only follows from what was seen before and after.
    """

    box_px: Box
    road_user: RoadUser
    score: float
    is_seen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What is believed of one picture.

    Attributes:
        sure: To be taught.
        unsure: Places where something may be.
        has_gap: Somebody was missed in this very picture who was seen before and after.
    """

    sure: tuple[Mark, ...] = ()
    unsure: tuple[Mark, ...] = ()
    has_gap: bool = False


def iou(one: Box, other: Box) -> float:
    """Intersection over union."""
    shared = shared_area(one, other)
    return shared / max(one.area + other.area - shared, 1e-9)


def shared_area(one: Box, other: Box) -> float:
    """Area of the intersection."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    return max(width, 0.0) * max(height, 0.0)


def cut(box: Box, frame_size: tuple[int, int]) -> Box:
    """The part of a box inside the frame; it may have no area."""
    width, height = frame_size
    x1, y1 = min(max(box.x1, 0.0), width), min(max(box.y1, 0.0), height)
    return Box(x1, y1, min(max(box.x2, x1), width), min(max(box.y2, y1), height))


def to_boxes(marks: Iterable[Mark], frame_size: tuple[int, int]) -> tuple[SampleBox, ...]:
    """Marks as a sample keeps them."""
    return tuple(
        SampleBox(
            road_user=mark.road_user,
            score=min(mark.score, 1.0),
            is_seen=mark.is_seen,
            **_shares(cut(mark.box_px, frame_size), frame_size),
        )
        for mark in marks
    )


def to_regions(marks: Iterable[Mark], frame_size: tuple[int, int]) -> tuple[Region, ...]:
    """Places where nobody is sure, as a sample keeps them; those off the picture are left out."""
    inside = [(mark, cut(mark.box_px, frame_size)) for mark in marks]
    return tuple(
        Region(road_user=mark.road_user, **_shares(box, frame_size))
        for mark, box in inside
        if box.area > 0
    )


def marks_of(sample: SampleFacts, frame_size: tuple[int, int]) -> Marks:
    """What a sample keeps, as marks in pixels of a picture of this size again."""
    return Marks(
        sure=tuple(
            Mark(
                box_px=to_pixels(box, frame_size),
                road_user=box.road_user,
                score=box.score,
                is_seen=box.is_seen,
            )
            for box in sample.boxes
        ),
        unsure=tuple(
            Mark(box_px=to_pixels(place, frame_size), road_user=place.road_user, score=0.0)
            for place in sample.ignore
            if place.road_user is not None
        ),
    )


def to_pixels(region: Region, frame_size: tuple[int, int]) -> Box:
    """A place of a sample in pixels of a picture of this size."""
    width, height = frame_size
    return Box(
        (region.cx - region.w / 2) * width,
        (region.cy - region.h / 2) * height,
        (region.cx + region.w / 2) * width,
        (region.cy + region.h / 2) * height,
    )


def _shares(box: Box, frame_size: tuple[int, int]) -> dict[str, float]:
    width, height = frame_size
    middle = box.centre
    shares = (middle.x / width, middle.y / height, box.width / width, box.height / height)
    return dict(zip(("cx", "cy", "w", "h"), (round(s, 6) for s in shares), strict=True))
