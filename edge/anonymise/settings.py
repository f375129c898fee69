"""The ``privacy`` section of edge.yaml → what each camera may give away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.ids import Slug
from common.wire import PrivacyMode


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NoiseSettings(_Model):
    """Noise on counts, with a budget that ends.

    No epsilon is a default: how much is too much is decided by whoever answers for the data.

    Attributes:
        epsilon_per_bin: Privacy loss of one bin for one passage of one road user.
        epsilon_per_day: What all bins of one camera and one UTC day may cost together. It
            also bounds the loss of somebody who passes in every single bin of that day.
        cells_per_road_user: L1 sensitivity of a bin: how many of its counts one road user
            raises by one at most. The default, 3, is a passage that enters over one line,
            leaves over another and finishes one flow. Somebody who turns back, circles, or
            whom the tracker loses and finds again touches more cells and is protected
            proportionally less: six cells at 3 mean twice the epsilon. The count of rows of
            a bin is the true worst case; the engine never uses more than that.
    """

    epsilon_per_bin: float = Field(ge=0.001, le=20)
    epsilon_per_day: float = Field(ge=0.001, le=100_000)
    cells_per_road_user: int = Field(default=3, ge=1, le=1000)

    @model_validator(mode="after")
    def _lasts_for_a_bin(self) -> Self:
        if self.epsilon_per_bin > self.epsilon_per_day:
            raise ValueError(
                f"epsilon_per_bin {self.epsilon_per_bin:g} exceeds "
                f"epsilon_per_day {self.epsilon_per_day:g}, expected at most that"
            )
        return self


class CameraPrivacy(_Model):
    """What one camera may give away.

    Attributes:
        mode: ``statistics`` tells bins alone; ``operational`` also single incidents.
        withhold_below: Counts from 1 to one less than this are withheld, with whatever would
            let somebody compute them; None withholds nothing. 0 is told as 0.
        noise: Noise on every count, or None.
    """

    mode: PrivacyMode = PrivacyMode.STATISTICS
    withhold_below: Annotated[int, Field(ge=2, le=1000)] | None = None
    noise: NoiseSettings | None = None

    @model_validator(mode="after")
    def _keeps_its_promise(self) -> Self:
        is_protected = self.withhold_below is not None or self.noise is not None
        if self.mode is PrivacyMode.OPERATIONAL and is_protected:
            raise ValueError(
                "mode operational tells single incidents, which undoes withhold_below and noise; "
                "expected one or the other"
            )
        return self


class PrivacySettings(_Model):
    """The ``privacy`` section.

    Attributes:
        default: For every camera that is not named.
        cameras: By camera id.
        face_model: A YuNet face detector (.onnx) for the redacted preview; without it the
            whole picture is turned into a mosaic.
    """

    default: CameraPrivacy = CameraPrivacy()
    cameras: dict[Slug, CameraPrivacy] = Field(default_factory=dict)
    face_model: Path | None = None

    def of(self, camera_id: str) -> CameraPrivacy:
        """What this camera may give away."""
        return self.cameras.get(camera_id, self.default)
