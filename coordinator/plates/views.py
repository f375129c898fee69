"""What pages show of the plate of a camera."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel

from common.plates import PlateOutcome
from coordinator.plates.tables import PlateRow, PlateWishRow


class PlateStep(StrEnum):
    """How far a wish for a plate came."""

    NEVER_WISHED = "never_wished"
    WAITING = "waiting"
    TOO_LATE = "too_late"
    ANSWERED = "answered"


class PictureView(BaseModel):
    """A plate without its bytes."""

    number: int
    taken_at: datetime
    size: tuple[int, int]
    frame_size: tuple[int, int]
    frames: int
    span_s: float
    covered: int

    @classmethod
    def of(cls, row: PlateRow) -> PictureView:
        """A row as it is shown."""
        return cls(
            number=row.number,
            taken_at=row.taken_at,
            size=(row.width_px, row.height_px),
            frame_size=(row.frame_width_px, row.frame_height_px),
            frames=row.frames,
            span_s=row.span_s,
            covered=row.covered,
        )


class PlateView(BaseModel):
    """The newest wish of a camera, what came of it, and the plate that is kept."""

    step: PlateStep
    number: int
    wished_at: datetime | None
    outcome: PlateOutcome | None
    answered_at: datetime | None
    picture: PictureView | None

    @classmethod
    def of(cls, wish: PlateWishRow | None, plate: PlateRow | None, *, since: datetime) -> PlateView:
        """Rows as they are shown; a wish from before ``since`` is not sent any more."""
        picture = PictureView.of(plate) if plate is not None else None
        if wish is None:
            return cls(
                step=PlateStep.NEVER_WISHED,
                number=0,
                wished_at=None,
                outcome=None,
                answered_at=None,
                picture=picture,
            )
        return cls(
            step=_step(wish, since),
            number=wish.number,
            wished_at=wish.wished_at,
            outcome=PlateOutcome(wish.outcome) if wish.outcome else None,
            answered_at=wish.answered_at,
            picture=picture,
        )


def _step(wish: PlateWishRow, since: datetime) -> PlateStep:
    if wish.answered_number >= wish.number:
        return PlateStep.ANSWERED
    return PlateStep.WAITING if wish.wished_at >= since else PlateStep.TOO_LATE
