"""Steps and reasons of boxes → sentences of the section editor."""

from __future__ import annotations

from types import MappingProxyType

from common.plates import PlateOutcome
from common.site import Movement, Use
from coordinator.dashboard.section_drawing import WishStep

WISHES = MappingProxyType(
    {
        WishStep.NOTHING: ("none", "Nothing sent yet", "The box counts with its own site file."),
        WishStep.SENT: ("info", "Sent", "Waiting for the box to answer."),
        WishStep.APPLIED: ("good", "Applied", "The box counts with this drawing."),
        WishStep.REFUSED: ("bad", "Refused", "The box counts on as before."),
        WishStep.ROLLED_BACK: ("bad", "Taken back", "The box went back to the lines before."),
        WishStep.CHANGED_BY_HAND: (
            "watch",
            "Changed on the box",
            "Somebody has edited the site file on the box since.",
        ),
    }
)
"""Step → tone, badge and sentence."""

REASONS = MappingProxyType(
    {
        "unknown_camera": "it has no camera of this name",
        "no_sections": "a camera had no line and no area",
        "not_valid": "the drawing does not hold together on its site file",
        "tells_more": "its own configuration allows statistics only",
        "unwritable": "it cannot write its site file",
        "camera_lost": "a camera that gave numbers before gave none with the new lines",
        "too_many_starts": "the agent did not survive the new lines",
    }
)

OUTCOMES = MappingProxyType(
    {
        PlateOutcome.TAKEN: ("good", "The picture below is from the box."),
        PlateOutcome.NOT_ALLOWED: (
            "watch",
            "This box sends no pictures: plates_on_request is not set in its edge.yaml. "
            "Open a picture that was made on the box instead.",
        ),
        PlateOutcome.NO_SUCH_CAMERA: ("bad", "The box does not run a camera of this name."),
        PlateOutcome.NO_PICTURES: ("watch", "The camera gave too few usable pictures."),
        PlateOutcome.FAILED: ("bad", "The box could not make a picture that is small enough."),
    }
)
"""Outcome → tone and sentence."""

LINE_USES = (
    (Use.TRAFFIC.value, "Count traffic"),
    (Use.CROSSWALK.value, "Count people crossing"),
)
AREA_USES = (
    (Use.APPROACH.value, "Approach: queue and occupancy"),
    (Use.CARRIAGEWAY.value, "Carriageway: incidents and conflicts"),
    (Use.CROSSWALK.value, "Crosswalk: people walking across"),
    (Use.TRAFFIC.value, "Traffic area"),
)
MOVEMENTS = (
    (Movement.THRU.value, "Straight on"),
    (Movement.LEFT.value, "Left turn"),
    (Movement.RIGHT.value, "Right turn"),
    (Movement.U_TURN.value, "U-turn"),
)
