"""Rows of a box → the box at a glance: what it is, how it does, and what it shall run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from common.messages import HealthReport
from coordinator.fleet.views import DeviceView, TwinView


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxOverview:
    """One box.

    Attributes:
        health: Its newest report; None before the first, or when it cannot be read any more.
        twin: Version 0 where it was never told anything.
    """

    device: DeviceView
    health: HealthReport | None
    twin: TwinView


def read_health(content: Mapping[str, Any] | None) -> HealthReport | None:
    """The report as it is kept; one that another version of this program took in may not be."""
    if content is None:
        return None
    try:
        return HealthReport.model_validate(content)
    except ValidationError:
        return None  # the next report, within a minute or so, replaces it
