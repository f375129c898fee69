"""Words of coordinator.yaml that several of its sections use."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z:][0-9A-Za-z.:-]{0,252}$")]
Names = Annotated[tuple[Host, ...], Field(min_length=1, max_length=16)]


class SettingsModel(BaseModel):
    """A section: unknown keys are refused, and nothing changes after the start."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
