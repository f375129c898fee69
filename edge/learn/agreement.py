"""What the tracks say and what the better pass sees → one set of labels for a picture.

Neither is believed alone where it may err: a place that only follows from a track may be behind
a bus, and a box that only the network drew may be a sign. What one of them is nearly sure of,
or both of them believe, is taught; what remains is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from common.geometry import Box
from common.road_users import ROAD_USER_INDEX
from edge.learn.fusion import are_alike
from edge.learn.marks import LEAST_SIDE_PX, Mark, Marks, iou, shared_area


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRules:
    """How sure is sure; scores are means over all looks of the better pass.

    Attributes:
        alone: A box of the better pass alone: more than half of what a perfect look says.
        supported: With a track behind it, what the tracker asks of a single look is enough.
        something: From here on a place is not empty either; the tracker's own floor.
        same_iou: Overlap of two boxes on one road user, as detectors are scored.
        covered: Share of an unsure place that sure boxes explain.
    """

    alone: float = 0.5
    supported: float = 0.25
    something: float = 0.1
    same_iou: float = 0.5
    covered: float = 0.7


def agree(tracks: Marks, seen: Sequence[Mark], rules: AgreementRules | None = None) -> Marks:
    """Put both together.

    Args:
        tracks: Labels from the tracks of the picture's camera.
        seen: Fused boxes of the better pass, surest first.
        rules: How sure is sure.
    """
    rules = rules or AgreementRules()
    sure: list[Mark] = []
    unsure: list[Mark] = list(tracks.unsure)
    left = [mark for mark in seen if mark.score >= rules.something]
    for track in tracks.sure:
        partner = _partner(track, left, rules)
        if partner is None:
            # A detector saw it in this picture, or only before and after.
            (sure if track.is_seen else unsure).append(track)
            continue
        left.remove(partner)
        sure.append(_of_both(track, partner, rules))
    for mark in left:
        is_backed = _backs(mark, tracks.unsure, rules)
        least = rules.supported if is_backed else rules.alone
        (sure if mark.score >= least and _is_drawn(mark.box_px) else unsure).append(mark)
    return Marks(sure=tuple(sure), unsure=tuple(_unexplained(unsure, sure, rules)))


def _partner(track: Mark, seen: Iterable[Mark], rules: AgreementRules) -> Mark | None:
    """The best overlap among boxes of the same kind."""
    index = ROAD_USER_INDEX[track.road_user]
    alike = [mark for mark in seen if are_alike(ROAD_USER_INDEX[mark.road_user], index)]
    best = max(alike, key=lambda mark: iou(mark.box_px, track.box_px), default=None)
    return best if best and iou(best.box_px, track.box_px) >= rules.same_iou else None


def _of_both(track: Mark, seen: Mark, rules: AgreementRules) -> Mark:
    """The track knows what it is; who looks at the picture knows better where."""
    is_placed = seen.score >= rules.supported and _is_drawn(seen.box_px)
    return replace(
        track,
        box_px=seen.box_px if is_placed else track.box_px,
        score=max(track.score, seen.score),
    )


def _backs(mark: Mark, places: Iterable[Mark], rules: AgreementRules) -> bool:
    """True when a track that may not teach alone goes through the same place.

    A rider's track holds both, so that a box inside it is enough for person and cycle.
    """
    return any(
        iou(mark.box_px, place.box_px) >= rules.same_iou
        or (
            place.road_user.is_ridden
            and shared_area(mark.box_px, place.box_px) >= rules.covered * mark.box_px.area
        )
        for place in places
    )


def _unexplained(
    places: Iterable[Mark], sure: Sequence[Mark], rules: AgreementRules
) -> Iterable[Mark]:
    """Unsure places that no sure box of the same extent stands for."""
    for place in places:
        inside = sum(shared_area(mark.box_px, place.box_px) for mark in sure)
        if inside < rules.covered * place.box_px.area:
            yield place


def _is_drawn(box: Box) -> bool:
    return min(box.width, box.height) >= LEAST_SIDE_PX
