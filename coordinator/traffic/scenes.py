"""What a site consists of: cameras, the series they count, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from common.messages import CameraLayout, FlowLayout
from common.site import Use
from coordinator.traffic.periods import zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place with cameras."""

    id: int
    slug: str
    name: str
    timezone: str
    latitude: float | None
    longitude: float | None

    @property
    def zone(self) -> ZoneInfo:
        """Time zone whose days are this site's days.

        Raises:
            ConfigError: The zone that was entered does not exist.
        """
        return zone_of(self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera of a site."""

    id: int
    site_id: int
    slug: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One thing that is counted; ``kind`` is line, flow or area."""

    id: int
    camera_id: int
    kind: str
    name: str
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a camera is drawn from a moment on."""

    camera_id: int
    valid_from: datetime
    drawn: CameraLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A site with everything that is counted there."""

    site: Site
    cameras: tuple[Camera, ...]
    series: tuple[Series, ...]
    layouts: tuple[Layout, ...] = ()
    _slugs: dict[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the cameras."""
        object.__setattr__(self, "_slugs", {camera.id: camera.slug for camera in self.cameras})

    @property
    def camera_ids(self) -> list[int]:
        """Ids of all cameras."""
        return [camera.id for camera in self.cameras]

    def camera_of(self, series: Series) -> str:
        """Slug of the camera that counts ``series``."""
        return self._slugs[series.camera_id]

    def flow(self, series: Series) -> FlowLayout | None:
        """How the flow of ``series`` is drawn, by the newest layout that has it."""
        for layout in self._newest_first(series.camera_id):
            for flow in layout.drawn.flows:
                if flow.name == series.name:
                    return flow
        return None

    def use(self, series: Series) -> Use | None:
        """What the section of ``series`` is for, by the newest layout that has it."""
        for layout in self._newest_first(series.camera_id):
            for section in layout.drawn.sections:
                if section.name == series.name:
                    return section.use
        return None

    def _newest_first(self, camera_id: int) -> Sequence[Layout]:
        mine = [layout for layout in self.layouts if layout.camera_id == camera_id]
        return sorted(mine, key=lambda layout: layout.valid_from, reverse=True)
