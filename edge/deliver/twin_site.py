"""A desired configuration and the site file → the site file that it asks for, or why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from common.errors import ConfigError
from common.messages import FlowLayout, SectionLayout
from common.orders import DesiredCamera, DesiredConfiguration
from common.settings_files import explain
from common.site import Site
from common.wire import PrivacyMode

ModeOf = Callable[[str], PrivacyMode]


class WishRefusedError(ConfigError):
    """A wish that does not hold; ``reason`` is what the coordinator is told of it."""

    def __init__(self, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


def desired_site(
    content: Mapping[str, Any], wanted: DesiredConfiguration, *, mode_of: ModeOf
) -> dict[str, Any]:
    """Put the wanted sections and flows into the file's content; everything else stays.

    Args:
        content: The site file, as YAML gives it.
        wanted: From the coordinator, verified.
        mode_of: Privacy mode that edge.yaml gives a camera. Nobody far away can make a box tell
            more than its own file allows; less, they can.

    Raises:
        WishRefusedError: A camera that this site does not have, geometry that is not valid, or
            more than the box may tell.
    """
    changed = deepcopy(dict(content))
    cameras = {str(camera["id"]): camera for camera in changed["cameras"]}
    for camera in wanted.cameras:
        found = cameras.get(camera.camera)
        if found is None:
            raise WishRefusedError(
                "unknown_camera",
                f"camera {camera.camera!r} is not of this box, expected one of {sorted(cameras)}",
            )
        _refuse_more_telling(camera, mode_of(camera.camera))
        if not camera.sections:
            raise WishRefusedError(
                "no_sections", f"camera {camera.camera!r} has no sections, expected at least one"
            )
        before = {section["name"]: section for section in found.get("sections", ())}
        found["sections"] = [_section(each, before.get(each.name, {})) for each in camera.sections]
        found["flows"] = [_flow(each) for each in camera.flows]
    try:
        Site.model_validate(changed)
    except ValidationError as error:
        raise WishRefusedError("not_valid", f"desired configuration: {explain(error)}") from error
    return changed


def _refuse_more_telling(camera: DesiredCamera, mode: PrivacyMode) -> None:
    if camera.mode is PrivacyMode.OPERATIONAL and mode is PrivacyMode.STATISTICS:
        raise WishRefusedError(
            "tells_more",
            f"camera {camera.camera!r} is wanted in operational mode, its box allows statistics",
            hint="set `privacy` in edge.yaml on the box itself",
        )


def _section(wanted: SectionLayout, before: Mapping[str, Any]) -> dict[str, Any]:
    points = [list(point) for point in wanted.points_px]
    if not wanted.is_area and len(points) != 2:
        raise WishRefusedError(
            "not_valid", f"line {wanted.name!r} has {len(points)} points, expected 2"
        )
    section: dict[str, Any] = {"name": wanted.name}
    section["polygon" if wanted.is_area else "line"] = points
    section["use"] = wanted.use.value
    # Not on the wire: which way a line may be crossed stays as the technician wrote it.
    if "allowed" in before and not wanted.is_area:
        section["allowed"] = before["allowed"]
    return section


def _flow(wanted: FlowLayout) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "from": wanted.start,
        "to": wanted.end,
        "movement": wanted.movement.value,
    }
