"""A person and the cycle under them → one road user.

Counters that miss this report every cyclist twice, as a person and as a bicycle.
The pair becomes one detection with the box around both: its bottom is where the
wheels touch the ground, and it stays alike when the detector sees only the rider
in the next frame, so that one track carries on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from common.road_users import HAS_CAB, ROAD_USER_INDEX, ROAD_USERS, RoadUser
from edge.detect.detections import Detections
from edge.track.association import assign

_PERSON = ROAD_USER_INDEX[RoadUser.PERSON]
_RIDDEN = np.array([road_user.is_ridden for road_user in ROAD_USERS])
# A saddle is near the middle of the cycle; seen from the front the two are as wide as each other.
_MAX_OFFSET = 0.5
# Feet on pedals are above the ground and below the top of the wheels.
_FEET_ABOVE_GROUND = (-0.25, 0.85)
# A rider's head is above the handlebars: the person begins higher than the cycle.
_MIN_RISE = 0.15
# Below this the "cycle" is as likely a shadow of the person.
_MIN_CYCLE_SCORE = 0.10
_INSIDE = 0.75


def merge_riders(detections: Detections) -> Detections:
    """Replace every person on a cycle by one ridden cycle.

    The class scores of the pair are those of the cycle with the person's own score
    taken out; its score is the greater of the two, because both speak for it.
    """
    persons = np.flatnonzero(detections.classes == _PERSON)
    cycles = np.flatnonzero(_RIDDEN[detections.classes] & (detections.scores >= _MIN_CYCLE_SCORE))
    if len(persons) == 0 or len(cycles) == 0:
        return detections
    fit = _seat_fit(detections.boxes_px[persons], detections.boxes_px[cycles])
    pairs = assign(fit, least=0.05)
    if len(pairs) == 0:
        return detections
    return _merged(detections, persons[pairs[:, 0]], cycles[pairs[:, 1]])


def _seat_fit(persons: NDArray[np.float32], cycles: NDArray[np.float32]) -> NDArray[np.float64]:
    """How well each person sits on each cycle, shape (persons, cycles), 0 is not at all."""
    person_x = (persons[:, None, 0] + persons[:, None, 2]) / 2
    cycle_x = (cycles[:, 0] + cycles[:, 2]) / 2
    cycle_width = np.maximum(cycles[:, 2] - cycles[:, 0], 1.0)
    cycle_height = np.maximum(cycles[:, 3] - cycles[:, 1], 1.0)
    person_height = np.maximum(persons[:, None, 3] - persons[:, None, 1], 1.0)
    reach = np.maximum(cycle_width, 0.5 * cycle_height)
    offset = np.abs(person_x - cycle_x) / reach
    feet = (cycles[:, 3] - persons[:, None, 3]) / cycle_height
    rise = (cycles[:, 1] - persons[:, None, 1]) / person_height
    size = person_height / cycle_height
    sits = (
        (offset < _MAX_OFFSET)
        & (feet > _FEET_ABOVE_GROUND[0])
        & (feet < _FEET_ABOVE_GROUND[1])
        & (rise > _MIN_RISE)
        & (size > 0.5)
        & (size < 3.0)
    )
    return np.where(sits, 1.0 - offset, 0.0).astype(np.float64)


def _share_inside(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of each box that lies inside each other box, shape (boxes, others)."""
    right = np.minimum(boxes[:, None, 2], others[:, 2])
    left = np.maximum(boxes[:, None, 0], others[:, 0])
    bottom = np.minimum(boxes[:, None, 3], others[:, 3])
    top = np.maximum(boxes[:, None, 1], others[:, 1])
    shared = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return np.asarray(shared / np.maximum(area[:, None], 1e-6), dtype=np.float32)


def _merged(
    detections: Detections, persons: NDArray[np.intp], cycles: NDArray[np.intp]
) -> Detections:
    boxes = detections.boxes_px.copy()
    scores = detections.scores.copy()
    class_scores = detections.class_scores.copy()
    boxes[cycles, :2] = np.minimum(boxes[cycles, :2], boxes[persons, :2])
    boxes[cycles, 2:] = np.maximum(boxes[cycles, 2:], boxes[persons, 2:])
    scores[cycles] = np.maximum(scores[cycles], scores[persons])
    class_scores[cycles, _PERSON] = 0.0
    keep = np.ones(len(scores), dtype=bool)
    keep[persons] = False
    # What else of rider and cycle was boxed (a torso, a front wheel) lies inside the pair.
    light = np.flatnonzero(keep & ~HAS_CAB[detections.classes])
    parts = np.setdiff1d(light, cycles)
    keep[parts[_share_inside(boxes[parts], boxes[cycles]).max(axis=1) >= _INSIDE]] = False
    return replace(
        detections,
        boxes_px=boxes[keep],
        scores=scores[keep],
        classes=detections.classes[keep],
        class_scores=class_scores[keep],
    )
