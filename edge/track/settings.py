"""The numbers of the tracker, with their reasons; the same for every camera."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSettings:
    """How sure, how near and how long.

    Attributes:
        sure_score: Detections from here on are matched first.
        least_score: Detections below are noise; must not be under the engine's floor.
        found_score: A detection from here on may found a track.
        least_overlap: Grown overlap below which two boxes are different road users.
        unsure_overlap: Plain overlap that an unsure detection needs with a track (ByteTrack: 0.5).
        evidence: Sum of scores that confirms a track.
        least_sightings: Sightings that confirm a track, however sure they are.
        travel: Box heights that a track of unsure detections must have moved.
        patience_s: How long a moving track waits for the next sighting.
        standing_patience_s: How long a standing track waits.
        tentative_patience_s: How long an unconfirmed track waits.
    """

    sure_score: float = 0.25
    least_score: float = 0.1
    found_score: float = 0.12
    least_overlap: float = 0.15
    unsure_overlap: float = 0.5
    evidence: float = 0.9
    least_sightings: int = 3
    travel: float = 1.0
    patience_s: float = 1.2
    standing_patience_s: float = 4.0
    tentative_patience_s: float = 0.25
