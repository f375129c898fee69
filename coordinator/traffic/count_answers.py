"""Questions about counts → road users of series, sums of them, and people on crosswalks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from common.road_users import ROAD_USERS, RoadUser
from common.site import Use
from coordinator.traffic.area_answers import area_views
from coordinator.traffic.asking import Asked, Asker
from coordinator.traffic.count_columns import CountColumns
from coordinator.traffic.count_grid_store import Kind
from coordinator.traffic.coverage import Watched
from coordinator.traffic.pages import Page, answer_fields, series_fields, together, watched_fields
from coordinator.traffic.periods import Width
from coordinator.traffic.questions import BinQuestion, CountQuestion
from coordinator.traffic.store import Session
from coordinator.traffic.views import (
    CameraWatchedView,
    CountsView,
    CrosswalksView,
    SeriesCountsView,
    TotalsView,
)


class CountAnswers:
    """Counts in bins, for one tenant at one moment."""

    def __init__(self, session: Session, tenant_id: str, *, now: datetime) -> None:
        """Read through ``session``; bins after ``now`` are not answered."""
        self._asker = Asker(session, tenant_id, now=now)

    def counts(self, site: str, question: CountQuestion) -> CountsView:
        """Road users of every chosen series.

        Raises:
            NotFoundError: No such site.
        """
        asked = self._asker.ask(site, question, question.selects)
        return CountsView(
            **answer_fields(asked.scene, asked.page),
            starts=list(asked.page.starts),
            cameras=_cameras(asked),
            series=self._series_counts(asked, question.road_user),
        )

    def totals(self, site: str, question: CountQuestion) -> TotalsView:
        """The chosen series added up.

        Raises:
            NotFoundError: No such site.
        """
        asked = self._asker.ask(site, question, question.selects, is_added=True)
        by_camera = _watched(asked)
        page = asked.page if by_camera else replace(asked.page, starts=())
        watched = [together(parts) for parts in zip(*by_camera.values(), strict=True)]
        return TotalsView(
            **answer_fields(asked.scene, asked.page),
            starts=list(page.starts),
            added=len(asked.ids),
            **watched_fields(watched),
            **_lists(self._added(asked, page), watched, question.road_user),
        )

    def crosswalks(self, site: str, question: BinQuestion) -> CrosswalksView:
        """People on crosswalks, where areas or lines are drawn for that.

        Raises:
            NotFoundError: No such site.
        """
        asked = self._asker.ask(
            site,
            question,
            lambda scene, s: question.selects(scene, s) and scene.use(s) is Use.CROSSWALK,
        )
        lines = asked.only("line")
        return CrosswalksView(
            **answer_fields(asked.scene, asked.page),
            areas=area_views(asked, self._asker.store),
            starts=list(asked.page.starts),
            cameras=_cameras(lines),
            lines=self._series_counts(lines, ROAD_USERS),
        )

    def _added(self, asked: Asked, page: Page) -> CountColumns:
        kinds = _whole_kinds(asked)
        if kinds and page.width is not Width.MINUTE:
            return self._asker.grid.added_kinds(kinds, page)
        return self._asker.grid.added(asked.ids, page)

    def _series_counts(
        self, asked: Asked, road_users: Sequence[RoadUser]
    ) -> list[SeriesCountsView]:
        found = self._asker.grid.columns(asked.ids, asked.page)
        watched = _watched(asked)
        return [
            SeriesCountsView(
                **series_fields(asked.scene, series),
                kind=series.kind,
                **_lists(found[series.id], watched[series.camera_id], road_users),
            )
            for series in asked.series
        ]


def _whole_kinds(asked: Asked) -> list[Kind]:
    """Cameras and kinds of which every series was chosen; none when some series was left out."""
    chosen = Counter((series.camera_id, series.kind) for series in asked.series)
    known = Counter((series.camera_id, series.kind) for series in asked.scene.series)
    return list(chosen) if all(known[kind] == n for kind, n in chosen.items()) else []


def _watched(asked: Asked) -> dict[int, list[Watched]]:
    """Camera id → how well it watched in every bin; cameras of the chosen series alone."""
    cameras = dict.fromkeys(series.camera_id for series in asked.series)
    return {camera: asked.coverage.all_of(camera) for camera in cameras}


def _cameras(asked: Asked) -> list[CameraWatchedView]:
    slugs = {series.camera_id: asked.scene.camera_of(series) for series in asked.series}
    return [
        CameraWatchedView(camera=slugs[camera], **watched_fields(watched))
        for camera, watched in _watched(asked).items()
    ]


def _lists(
    columns: CountColumns, watched: Sequence[Watched], road_users: Sequence[RoadUser]
) -> dict[str, Any]:
    """What every ``CountListsView`` begins with."""
    return {
        "state": columns.states(watched),
        "counts": {road_user: columns.of(road_user) for road_user in road_users},
        "total": columns.total(road_users),
        "withheld_share": columns.withheld_shares,
    }
