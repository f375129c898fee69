"""site.yaml → validated cameras, sections, flows and calibration.

The one file a technician edits. Every mistake is answered with the key, the
value found and what was expected.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.errors import ConfigError
from common.geometry import Direction, GroundPlane, Point, Polygon, Segment
from common.ids import Label, Slug
from common.settings_files import read_settings

Coordinate = tuple[float, float]


class Movement(StrEnum):
    """What a road user does between two legs of a junction."""

    THRU = "thru"
    LEFT = "left"
    RIGHT = "right"
    U_TURN = "u_turn"


class Use(StrEnum):
    """What a section is for.

    A line counts crossings. A polygon is an area: ``approach`` measures queue and
    occupancy, ``carriageway`` watches for incidents and conflicts, ``crosswalk``
    counts people who walk across.
    """

    TRAFFIC = "traffic"
    CROSSWALK = "crosswalk"
    APPROACH = "approach"
    CARRIAGEWAY = "carriageway"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Section(_Model):
    """A named line or polygon in pixels of the camera's ``frame_size``."""

    name: Label
    line: tuple[Coordinate, Coordinate] | None = None
    polygon: Annotated[tuple[Coordinate, ...], Field(min_length=3, max_length=64)] | None = None
    use: Use = Use.TRAFFIC
    allowed: Direction | None = Field(
        default=None,
        description="The only legal way over a line; the other is a wrong-way incident",
    )

    @model_validator(mode="after")
    def _is_one_shape(self) -> Self:
        if (self.line is None) == (self.polygon is None):
            raise ValueError(f"section {self.name!r} needs either a line or a polygon")
        if self.line is not None and self.use not in (Use.TRAFFIC, Use.CROSSWALK):
            raise ValueError(f"section {self.name!r} is a line, use {self.use} needs a polygon")
        if self.polygon is not None and self.allowed is not None:
            raise ValueError(f"section {self.name!r}: allowed belongs to a line, not to a polygon")
        _ = self.segment, self.area
        return self

    @property
    def segment(self) -> Segment | None:
        """The line as geometry, or None for an area."""
        return Segment(Point(*self.line[0]), Point(*self.line[1])) if self.line else None

    @property
    def area(self) -> Polygon | None:
        """The polygon as geometry, or None for a line."""
        return Polygon(tuple(Point(*xy) for xy in self.polygon)) if self.polygon else None

    @property
    def points(self) -> tuple[Coordinate, ...]:
        """Every corner, in drawing order."""
        return self.line or self.polygon or ()


class Flow(_Model):
    """An ordered pair of sections that one road user passes."""

    model_config = ConfigDict(populate_by_name=True)

    name: Label
    start: str = Field(alias="from")
    end: str = Field(alias="to")
    movement: Movement = Movement.THRU


class Calibration(_Model):
    """Matching image points and surveyed ground points; speeds need it."""

    points_px: Annotated[tuple[Coordinate, ...], Field(min_length=4, max_length=100)]
    points_m: Annotated[tuple[Coordinate, ...], Field(min_length=4, max_length=100)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _ = self.ground_plane
        return self

    @property
    def ground_plane(self) -> GroundPlane:
        """The homography fitted to the points."""
        return GroundPlane.fit(
            [Point(*xy) for xy in self.points_px], [Point(*xy) for xy in self.points_m]
        )


class Camera(_Model):
    """One camera, its counting geometry in pixels of ``frame_size`` (width, height)."""

    id: Slug
    source: str = Field(
        default="", description="rtsp://…, a file, simulate:…, or a GStreamer pipeline"
    )
    frame_size: tuple[Annotated[int, Field(ge=32, le=8192)], Annotated[int, Field(ge=32, le=8192)]]
    sections: tuple[Section, ...] = ()
    flows: tuple[Flow, ...] = ()
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [section.name for section in self.sections]
        _refuse_repeated("section", names)
        _refuse_repeated("flow", [flow.name for flow in self.flows])
        width, height = self.frame_size
        for section in self.sections:
            for x, y in section.points:
                if not (0 <= x <= width and 0 <= y <= height):
                    raise ValueError(
                        f"section {section.name!r} has the point [{x:g}, {y:g}] outside the frame, "
                        f"expected 0 to {width} and 0 to {height}"
                    )
        for flow in self.flows:
            for end in (flow.start, flow.end):
                if end not in names:
                    raise ValueError(
                        f"flow {flow.name!r} names the section {end!r}, expected one of {names}"
                    )
        return self


class Site(_Model):
    """One place with the cameras that watch it."""

    site: Slug
    cameras: Annotated[tuple[Camera, ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        _refuse_repeated("camera", [camera.id for camera in self.cameras])
        return self

    def camera(self, camera_id: str | None = None) -> Camera:
        """The camera with this id, or the only one.

        Raises:
            ConfigError: No such camera, or several and none was named.
        """
        ids = [camera.id for camera in self.cameras]
        if camera_id is None:
            if len(ids) == 1:
                return self.cameras[0]
            raise ConfigError(
                f"site {self.site!r} has {len(ids)} cameras, expected one of {ids} to be named",
                hint="name one with --camera",
            )
        if camera_id not in ids:
            raise ConfigError(
                f"camera {camera_id!r} is not in site {self.site!r}, expected one of {ids}",
                hint="name one with --camera",
            )
        return self.cameras[ids.index(camera_id)]


def load_site(path: Path) -> Site:
    """Read and validate a site file.

    Raises:
        ConfigError: Missing, not YAML, or not a valid site; one line per mistake.
    """
    return read_settings(
        path,
        Site,
        name="site file",
        option="--site",
        hint="see docs/technician.md for every key of the site file",
    )


def _refuse_repeated(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{what} {name!r} is named {names.count(name)} times, expected once")
