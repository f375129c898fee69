"""The ``release`` section of edge.yaml → whether and how a box takes new models."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ReleaseSettings(BaseModel):
    """Models from the coordinator; without a ``coordinator`` section nothing is fetched."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enabled: bool = Field(default=True, description="False: count with the packaged model")
    url: str | None = Field(
        default=None,
        max_length=2048,
        pattern=r"^https?://[^\s/]+/?$",
        description="https://HOST:PORT that hands out releases; default: where the box enrolled",
    )
    root_file: Path | None = Field(
        default=None,
        description="root.json to believe; default: the one that the box was told at enrolment",
    )
    watch_s: float = Field(
        default=600, ge=5, le=86_400, description="How long a new model is watched"
    )
    poll_s: float = Field(
        default=60, ge=1, le=86_400, description="How often a fetch that failed is tried again"
    )
    gate_minutes: float = Field(
        default=60,
        ge=1,
        le=1440,
        description="Longest time for building an engine and for the gate",
    )
    gate_niceness: int = Field(
        default=10,
        ge=0,
        le=19,
        description="Priority of the gate beside counting, as of nice(1); 10 leaves it a tenth "
        "of a busy core, with 19 it may never end",
    )
    free_mb: float = Field(
        default=700,
        ge=1,
        le=1_000_000,
        description="Free disk that a fetch needs; a release has 576 MB at most",
    )
