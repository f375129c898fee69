"""Questions about places → sites, the city on one day, incidents and conflicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from coordinator.traffic.answers import SiteDay
from coordinator.traffic.answers_store import AnswersStore
from coordinator.traffic.city_store import CityStore
from coordinator.traffic.coverage import Watched, state_of
from coordinator.traffic.movement_views import (
    CameraSafetyView,
    CityDayView,
    CitySiteView,
    IncidentView,
    SafetyView,
)
from coordinator.traffic.pages import together, watched_of
from coordinator.traffic.periods import Period, local_day
from coordinator.traffic.questions import SafetyQuestion
from coordinator.traffic.range_coverage import range_fields, watched_in
from coordinator.traffic.safety_store import SafetyStore
from coordinator.traffic.scenes import Camera, Layout, Scene, Series, Site
from coordinator.traffic.store import SceneStore, Session
from coordinator.traffic.views import CameraView, SceneView, SeriesView, SiteView


class OverviewAnswers:
    """Places, for one tenant at one moment."""

    def __init__(self, session: Session, tenant_id: str, *, now: datetime) -> None:
        """Read through ``session``; what lies after ``now`` is not answered."""
        self._scenes = SceneStore(session, tenant_id)
        self._store = AnswersStore(session, tenant_id)
        self._city = CityStore(session, tenant_id)
        self._safety = SafetyStore(session, tenant_id)
        self._now = now

    def sites(self) -> list[SiteView]:
        """Every site."""
        return [SiteView(**_site_fields(site)) for site in self._scenes.sites()]

    def scene(self, site: str) -> SceneView:
        """One site with its cameras and what they count.

        Raises:
            NotFoundError: No such site.
        """
        scene = self._scenes.scene(site)
        return SceneView(
            **_site_fields(scene.site),
            cameras=[_camera_view(scene, camera) for camera in scene.cameras],
        )

    def layouts(self, site: str) -> dict[str, Layout]:
        """Camera → how its box says that it is drawn now; cameras that told nothing are absent.

        Raises:
            NotFoundError: No such site.
        """
        scene = self._scenes.scene(site)
        slugs = {camera.id: camera.slug for camera in scene.cameras}
        # By the time from which they are good, so the newest one stays.
        return {slugs[layout.camera_id]: layout for layout in scene.layouts}

    def city_day(self, day: date) -> CityDayView:
        """Every site on its own local day, in a few statements for each time zone."""
        scenes = self._scenes.scenes()
        views: dict[int, CitySiteView] = {}
        for period in sorted(
            {local_day(day, scene.site.zone) for scene in scenes}, key=lambda p: p.start
        ):
            mine = [scene for scene in scenes if local_day(day, scene.site.zone) == period]
            views |= self._days(mine, period)
        return CityDayView(day=day.isoformat(), sites=[views[scene.site.id] for scene in scenes])

    def safety(self, site: str, question: SafetyQuestion) -> SafetyView:
        """Incidents and conflicts of the cameras of a site.

        Raises:
            NotFoundError: No such site.
        """
        scene = self._scenes.scene(site)
        period, watched = watched_in(self._store, scene, question, self._now)
        cameras = [c for c in scene.cameras if question.camera in (None, c.slug)]
        ids = [camera.id for camera in cameras]
        sums = self._safety.sums(ids, period)
        found = self._safety.incidents(ids, period, after=question.after, limit=question.limit + 1)
        shown = found[: question.limit]
        slugs = {camera.id: camera.slug for camera in cameras}
        views = []
        for camera in cameras:
            of_camera = sums.get(camera.id)
            is_known = of_camera is not None and of_camera.incidents is not None
            views.append(
                CameraSafetyView(
                    camera=camera.slug,
                    state=state_of(
                        has_number=is_known, withheld_bins=0, watched=watched[camera.id]
                    ),
                    coverage=round(watched[camera.id].coverage, 4),
                    quality=round(watched[camera.id].quality, 4),
                    incidents=_kinds(of_camera.incidents if of_camera else None),
                    conflicts=_kinds(of_camera.conflicts if of_camera else None),
                )
            )
        return SafetyView(
            **range_fields(scene, period),
            cameras=views,
            incidents=[
                IncidentView(
                    id=fact.id,
                    camera=slugs[fact.camera_id],
                    section=fact.section,
                    incident=fact.incident,
                    road_user=fact.road_user,
                    at=fact.at,
                )
                for fact in shown
            ],
            next_after=shown[-1].id if len(found) > len(shown) else None,
        )

    def _days(self, scenes: Iterable[Scene], period: Period) -> dict[int, CitySiteView]:
        counts = {(row.site_id, row.kind): row for row in self._city.counts(period.start)}
        coverage = {sums.camera_id: sums for _, sums in self._city.coverage(period.start)}
        wanted_s = max(1.0, (min(period.end, self._now) - period.start).total_seconds())
        views = {}
        for scene in scenes:
            parts = [watched_of(coverage.get(id_), wanted_s) for id_ in scene.camera_ids]
            watched = together(parts) if parts else Watched(wanted_s=wanted_s)
            site = scene.site
            views[site.id] = _city_site(
                site,
                period.start,
                watched,
                flows=counts.get((site.id, "flow")),
                lines=counts.get((site.id, "line")),
            )
        return views


def _city_site(
    site: Site,
    start: datetime,
    watched: Watched,
    *,
    flows: SiteDay | None,
    lines: SiteDay | None,
) -> CitySiteView:
    known = [part for part in (flows, lines) if part is not None]
    people = lines.people if lines else None
    crossings = (lines.vehicles if lines else None), people
    state = state_of(
        has_number=any(part.vehicles is not None for part in known),
        withheld_bins=sum(part.withheld_bins for part in known),
        watched=watched,
    )
    return CitySiteView(
        site=site.slug,
        name=site.name,
        timezone=site.timezone,
        start=start,
        state=state,
        vehicles=flows.vehicles if flows else None,
        crossings=None if None in crossings else sum(n or 0 for n in crossings),
        people=people,
        coverage=round(watched.coverage, 4),
        quality=round(watched.quality, 4),
        verdict=watched.verdict,
    )


def _site_fields(site: Site) -> dict[str, Any]:
    return {
        "site": site.slug,
        "name": site.name,
        "timezone": site.timezone,
        "latitude": site.latitude,
        "longitude": site.longitude,
    }


def _camera_view(scene: Scene, camera: Camera) -> CameraView:
    newest = [layout for layout in scene.layouts if layout.camera_id == camera.id][-1:]
    return CameraView(
        camera=camera.slug,
        since=camera.created_at,
        is_calibrated=newest[0].drawn.is_calibrated if newest else None,
        series=[
            _series_view(scene, series) for series in scene.series if series.camera_id == camera.id
        ],
    )


def _series_view(scene: Scene, series: Series) -> SeriesView:
    flow = scene.flow(series) if series.kind == "flow" else None
    return SeriesView(
        kind=series.kind,
        name=series.name,
        direction=series.direction,
        use=None if series.kind == "flow" else scene.use(series),
        leg=flow.start if flow else None,
        to_leg=flow.end if flow else None,
        movement=flow.movement.value if flow else None,
    )


def _kinds(sums: Mapping[str, int] | None) -> dict[str, int] | None:
    return None if sums is None else dict(sums)
