"""What road users did before and after a moment → labels for the picture of that moment.

A detector errs frame by frame, a road user does not: whoever is seen before and after was
there in between, and is one thing all the time. Labels out of the consistency of tracks, as in
"Automatic adaptation of object detectors to new domains using self-training" (RoyChowdhury et
al., CVPR 2019), with one addition: where the tracks leave a doubt, the picture gets a region
to be ignored instead of a label, because a wrong box and a missing box both teach a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from common.geometry import Box
from edge.learn.histories import SAME_MOMENT_S, TrackLife, between
from edge.learn.marks import LEAST_SIDE_PX, Mark, Marks, cut, shared_area


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRules:
    """When a track may teach; none of the figures was fitted to a clip.

    Attributes:
        least_life_s: A second at 10 frames/s is ten chances to contradict itself.
        least_sightings: Fewer are no pattern.
        least_mean_score: The tracker counts somebody from scores of 0.25 on; what teaches
            must be clearly surer than what is only counted.
        least_agreement: Share of the frames in which the class stood where it ended.
        longest_gap_s: In a second a vehicle that brakes at 4 m/s² strays 2 m from the straight
            line between its two ends, half of its length.
        seen_score: Somebody seen in this very frame with so much needs no proof of place.
        edge_s: So near to the first or last sighting a road user may be half out of sight.
        most_hidden: Somebody nobody saw, behind a nearer one by more than this, was hidden.
    """

    least_life_s: float = 1.0
    least_sightings: int = 5
    least_mean_score: float = 0.35
    least_agreement: float = 0.7
    longest_gap_s: float = 1.0
    seen_score: float = 0.25
    edge_s: float = 0.3
    most_hidden: float = 0.3


def labels_at(
    lives: Iterable[TrackLife],
    at_s: float,
    frame_size: tuple[int, int],
    rules: TrackRules | None = None,
) -> Marks:
    """What the tracks say of the picture of a moment.

    Args:
        lives: Everybody known around that moment.
        at_s: Stream time of the picture.
        frame_size: Width and height that the boxes refer to.
        rules: When a track may teach.
    """
    rules = rules or TrackRules()
    sure: list[Mark] = []
    unsure: list[Mark] = []
    has_gap = False
    for life in lives:
        mark, is_sure = _judged(life, at_s, rules)
        if mark is None:
            continue
        has_gap |= not mark.is_seen and None not in life.around(at_s)
        inside = cut(mark.box_px, frame_size)
        if inside.area <= 0:
            continue
        mark = replace(mark, box_px=inside)
        is_drawn = min(inside.width, inside.height) >= LEAST_SIDE_PX
        (sure if is_sure and is_drawn else unsure).append(mark)
    hidden = [mark for mark in sure if not mark.is_seen and _is_hidden(mark, sure, rules)]
    return Marks(
        sure=tuple(mark for mark in sure if mark not in hidden),
        unsure=(*unsure, *hidden),
        has_gap=has_gap,
    )


def _judged(life: TrackLife, at_s: float, rules: TrackRules) -> tuple[Mark | None, bool]:
    """Where a road user was, if at all, and whether that may be taught."""
    before, after = life.around(at_s)
    if before is None or after is None:
        return _beside(life, at_s, rules), False
    is_seen = before.at_s == after.at_s
    mark = Mark(
        box_px=between(before, after, at_s),
        road_user=life.road_user,
        score=before.score if is_seen else life.mean_score,
        is_seen=is_seen,
    )
    if not _is_trusted(life, rules) or life.road_user.is_ridden:
        # A rider's track holds person and cycle in one box; a detector is taught two.
        return mark, False
    if is_seen:
        is_inner = min(at_s - life.first_s, life.last_s - at_s) >= rules.edge_s
        return mark, is_inner or before.score >= rules.seen_score
    return mark, after.at_s - before.at_s <= rules.longest_gap_s


def _is_trusted(life: TrackLife, rules: TrackRules) -> bool:
    return (
        life.life_s >= rules.least_life_s
        and life.sightings >= rules.least_sightings
        and life.mean_score >= rules.least_mean_score
        and life.agreement >= rules.least_agreement
    )


def _beside(life: TrackLife, at_s: float, rules: TrackRules) -> Mark | None:
    """Just before the first or after the last sighting somebody is there, but who knows where."""
    nearest = life.points[0] if at_s < life.points[0].at_s else life.points[-1]
    if abs(nearest.at_s - at_s) > rules.edge_s + SAME_MOMENT_S:
        return None
    box = nearest.box_px
    pad_x, pad_y = box.width / 4, box.height / 4
    return Mark(
        box_px=Box(box.x1 - pad_x, box.y1 - pad_y, box.x2 + pad_x, box.y2 + pad_y),
        road_user=life.road_user,
        score=nearest.score,
        is_seen=False,
    )


def _is_hidden(mark: Mark, others: Sequence[Mark], rules: TrackRules) -> bool:
    """True when somebody who touches the ground nearer to the camera covers the place."""
    return any(
        other is not mark
        and other.box_px.y2 > mark.box_px.y2
        and shared_area(other.box_px, mark.box_px) > rules.most_hidden * mark.box_px.area
        for other in others
    )
