"""What a box shall count with and what it says it counts with → the same side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from common.messages import CameraLayout
from common.orders import DesiredCamera
from coordinator.fleet.overview import BoxOverview
from coordinator.traffic.scenes import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSides:
    """One camera of a box.

    Attributes:
        desired: None where nothing was wished of it.
        reported: None where its box has not told a layout.
        differences: Sections and flows that are not the same on both sides, in words.
    """

    camera: str
    desired: DesiredCamera | None
    reported: CameraLayout | None
    reported_since: datetime | None
    differences: tuple[str, ...]


def compare_layouts(box: BoxOverview, layouts: Mapping[str, Layout]) -> tuple[CameraSides, ...]:
    """Every camera that the box was told of, or tells of."""
    desired = {camera.camera: camera for camera in box.twin.cameras}
    told = {camera.camera for camera in box.health.cameras} if box.health else set()
    return tuple(
        _sides(name, desired.get(name), layouts.get(name)) for name in sorted(desired.keys() | told)
    )


def _sides(camera: str, desired: DesiredCamera | None, layout: Layout | None) -> CameraSides:
    reported = layout.drawn if layout else None
    return CameraSides(
        camera=camera,
        desired=desired,
        reported=reported,
        reported_since=layout.valid_from if layout else None,
        differences=_differences(desired, reported) if desired and reported else (),
    )


def _differences(desired: DesiredCamera, reported: CameraLayout) -> tuple[str, ...]:
    found: list[str] = []
    pairs = (
        ("section", _named(desired.sections), _named(reported.sections)),
        ("flow", _named(desired.flows), _named(reported.flows)),
    )
    for noun, wanted, there in pairs:
        found += [f"{noun} {name} is not there yet" for name in wanted.keys() - there.keys()]
        found += [f"{noun} {name} is still there" for name in there.keys() - wanted.keys()]
        found += [
            f"{noun} {name} is drawn otherwise"
            for name in wanted.keys() & there.keys()
            if wanted[name] != there[name]
        ]
    return tuple(sorted(found))


def _named(items: tuple[object, ...]) -> dict[str, object]:
    return {str(getattr(item, "name", "")): item for item in items}
