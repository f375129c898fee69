"""What became of a wished release on a box → a closed, bounded part of its health report."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime

from common.wire import Code, Digest, Message, Share, Version


class SlotName(StrEnum):
    """Where the model lies that a box counts with."""

    FACTORY = "factory"
    A = "a"
    B = "b"


class Step(StrEnum):
    """Where a box is on the way from a wish to a model that counts."""

    IDLE = "idle"
    FETCHING = "fetching"
    VERIFYING = "verifying"
    BUILDING = "building"
    GATING = "gating"
    WATCHING = "watching"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"

    @property
    def is_settled(self) -> bool:
        """Nothing more happens with this wish."""
        return self in {Step.IDLE, Step.CONFIRMED, Step.REFUSED, Step.ROLLED_BACK}


class GateFigures(Message):
    """What the gate on the box measured.

    Attributes:
        match: Share of the shipped reference boxes that the box's own backend found.
        f1: Of the new model against the shipped truth.
        active_f1: Of the model that counts, on the same pictures; None where it was not measured.
    """

    match: Share
    f1: Share
    active_f1: Share | None = None


class ReleaseState(Message):
    """Which model a box counts with, and what became of the release it was told to take.

    Attributes:
        active_version: Of the model that counts now.
        active_sha256: Of its file.
        slot: Where it lies.
        wanted_version: Release of the last wish, None before the first.
        step: How far the wish came.
        reason: Why it was refused or rolled back, or why a fetch is tried again, such as
            ``mismatch`` or ``unreachable``; see ``common.release.reasons``.
        gate: What the gate measured, None before it ran.
        since: When the box entered this step.
    """

    active_version: Version
    active_sha256: Digest
    slot: SlotName
    wanted_version: Version | None = None
    step: Step = Step.IDLE
    reason: Code | None = None
    gate: GateFigures | None = None
    since: AwareDatetime
