"""A camera → what is drawn for it, how its box took the last wish, and a new wish for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from common.errors import ConflictError, NotFoundError
from common.messages import CameraLayout, FlowLayout, SectionLayout
from common.orders import DesiredCamera
from common.wire import PrivacyMode
from coordinator.dashboard.section_rules import Checked, Frame
from coordinator.database import Database
from coordinator.fleet.reading_store import reading
from coordinator.fleet.twins import Twins
from coordinator.fleet.views import TwinView, TwinWish
from coordinator.plates.store import PlateStore
from coordinator.plates.whose import box_of
from coordinator.traffic.mode_store import told_mode
from coordinator.traffic.scenes import Scene, Site
from coordinator.traffic.store import SceneStore


class WishStep(StrEnum):
    """How far the newest wish for a box came."""

    NOTHING = "nothing"
    SENT = "sent"
    APPLIED = "applied"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    CHANGED_BY_HAND = "changed_by_hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class WishState:
    """The newest wish, as it stands.

    Attributes:
        version: Of the wish, 0 for none.
        wished_at: None for none.
        reason: Why it was refused or rolled back, in one word of the box; empty for none.
        is_counted: The box told that it counts with exactly these lines.
        heard_at: When the box told how it is, None where it never did.
    """

    step: WishStep
    version: int
    wished_at: datetime | None
    reason: str
    is_counted: bool
    heard_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCamera:
    """What the editor of one camera begins with.

    Attributes:
        device: The box that counts with this camera, None where there is none.
        drawn: What the box told, and since when.
        wanted: What was wished last for this camera, None for nothing.
    """

    site: Site
    camera: str
    device: str | None
    drawn: CameraLayout
    told_at: datetime
    wanted: DesiredCamera | None
    state: WishState

    @property
    def frame(self) -> Frame:
        """What pixels refer to."""
        return Frame(camera=self.camera, size=self.drawn.frame_size)

    @property
    def is_wish_shown(self) -> bool:
        """What is not in effect yet, or was refused, is what somebody goes on drawing."""
        is_open = self.state.step in (WishStep.SENT, WishStep.REFUSED)
        return is_open and self.wanted is not None and not self.state.is_counted

    def content(self, *, of_box: bool = False) -> dict[str, Any]:
        """Sections and flows to begin with, as the page holds them."""
        source = self.drawn if of_box or not self.is_wish_shown else self.wanted
        told = source or self.drawn
        return {
            "sections": [each.model_dump(mode="json") for each in told.sections],
            "flows": [each.model_dump(mode="json") for each in told.flows],
        }


class SectionDrawings:
    """Drawings of the cameras of one tenant."""

    def __init__(self, database: Database, tenant: str, twins: Twins) -> None:
        """Read from ``database``; wishes go to ``twins``."""
        self._database = database
        self._tenant = tenant
        self._twins = twins

    def show(self, site: str, camera: str) -> DrawnCamera:
        """What is drawn, wished and in effect.

        Raises:
            NotFoundError: No such camera, or one whose box never told how it is drawn.
        """
        with reading(self._database) as session:
            scene = SceneStore(session, self._tenant).scene(site)
            drawn, told_at = _newest(scene, camera)
            store = PlateStore(session, self._tenant)
            boxes = store.boxes(store.camera(site, camera))
        device = box_of(camera, boxes)
        health = dict(boxes).get(device, {}) if device is not None else {}
        twin = self._twins.show(device) if device is not None else None
        wanted = _of_camera(twin, camera)
        return DrawnCamera(
            site=scene.site,
            camera=camera,
            device=device,
            drawn=drawn,
            told_at=told_at,
            wanted=wanted,
            state=_state(twin, health, is_counted=wanted is not None and _is_same(wanted, drawn)),
        )

    def wish(self, shown: DrawnCamera, checked: Checked, *, if_version: int) -> TwinView:
        """Ask the box to count with a drawing.

        Args:
            shown: The camera, as ``show`` gave it.
            checked: Without mistakes.
            if_version: The wish that the person saw; a newer one is not overwritten.

        Raises:
            ConflictError: No box, it has ended, or somebody else wished something since.
        """
        if shown.device is None:
            raise ConflictError(
                f"camera {shown.camera!r} has no enrolled box, expected one that counts with it",
                hint="enrol a box for this site first",
            )
        twin = self._twins.show(shown.device)
        wanted = DesiredCamera(
            camera=shown.camera,
            mode=self._mode(shown),
            sections=checked.sections,
            flows=checked.flows,
        )
        failed = shown.state.step in (WishStep.REFUSED, WishStep.ROLLED_BACK)
        # What other cameras were told stays wished, unless the box turned that down as a whole.
        others = [c for c in twin.cameras if c.camera != shown.camera and not failed]
        wish = TwinWish(cameras=(*others, wanted), if_version=if_version)
        return self._twins.wish(shown.device, wish)

    def _mode(self, shown: DrawnCamera) -> PrivacyMode:
        """As it is: drawing a line must not change what a camera tells."""
        if shown.wanted is not None:
            return shown.wanted.mode
        with reading(self._database) as session:
            row = PlateStore(session, self._tenant).camera(shown.site.slug, shown.camera)
            mode = told_mode(session, row.id) if row.id is not None else None
        return mode or PrivacyMode.STATISTICS


def _newest(scene: Scene, camera: str) -> tuple[CameraLayout, datetime]:
    ids = {each.id for each in scene.cameras if each.slug == camera}
    if not ids:
        raise NotFoundError(
            f"camera {camera[:64]!r} of site {scene.site.slug!r} is not known",
            hint="a camera is known as soon as its box told of it",
        )
    layouts = [each for each in scene.layouts if each.camera_id in ids]
    if not layouts:
        raise NotFoundError(
            f"camera {camera[:64]!r} was never drawn, its box told no picture size",
            hint="write its first line into the site file on the box, then draw the others here",
        )
    newest = max(layouts, key=lambda each: each.valid_from)
    return newest.drawn, newest.valid_from


def _of_camera(twin: TwinView | None, camera: str) -> DesiredCamera | None:
    cameras = twin.cameras if twin is not None else []
    return next((each for each in cameras if each.camera == camera), None)


def _is_same(wanted: DesiredCamera, drawn: CameraLayout) -> bool:
    def plain(
        told: tuple[SectionLayout, ...] | tuple[FlowLayout, ...],
    ) -> list[dict[str, Any]]:
        return [each.model_dump() for each in told]

    return (plain(wanted.sections), plain(wanted.flows)) == (
        plain(drawn.sections),
        plain(drawn.flows),
    )


def _state(twin: TwinView | None, health: Mapping[str, Any], *, is_counted: bool) -> WishState:
    version = twin.desired_version if twin is not None else 0
    at = health.get("at")
    return WishState(
        step=_step(version, health),
        version=version,
        wished_at=twin.desired_at if twin is not None else None,
        reason=str(health.get("twin_reason") or ""),
        is_counted=is_counted,
        heard_at=datetime.fromisoformat(at) if isinstance(at, str) else None,
    )


def _step(version: int, health: Mapping[str, Any]) -> WishStep:
    if not version:
        return WishStep.NOTHING
    if health.get("twin_seen", 0) < version:
        return WishStep.SENT
    if health.get("twin_state") == "applied":
        in_effect = health.get("twin_version") == version
        return WishStep.APPLIED if in_effect else WishStep.CHANGED_BY_HAND
    found = {"refused": WishStep.REFUSED, "rolled_back": WishStep.ROLLED_BACK}
    return found.get(str(health.get("twin_state")), WishStep.SENT)
