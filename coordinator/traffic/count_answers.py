"""Questions about counts → road users of series, sums of them, and people on crosswalks."""

from __future__ import annotations

from datetime import datetime

from common.site import Use
from coordinator.traffic.answers import CountSums, Selection
from coordinator.traffic.area_answers import area_views
from coordinator.traffic.asking import Asked, Asker, state_of_counts
from coordinator.traffic.coverage import Watched
from coordinator.traffic.pages import answer_fields, bin_fields, by_place, series_fields, together
from coordinator.traffic.questions import BinQuestion, CountQuestion
from coordinator.traffic.scenes import Series
from coordinator.traffic.store import Session
from coordinator.traffic.views import (
    CountBinView,
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
            series=self._series_counts(asked, Selection(road_users=question.road_user)),
        )

    def totals(self, site: str, question: CountQuestion) -> TotalsView:
        """The chosen series added up.

        Raises:
            NotFoundError: No such site.
        """
        asked = self._asker.ask(site, question, question.selects, is_added=True)
        page, selection = asked.page, Selection(road_users=question.road_user)
        sums = {
            row.start: row
            for row in self._asker.store.counts_of_all(asked.ids, page.width, page.period)
        }
        cameras = sorted({series.camera_id for series in asked.series})
        bins = []
        for start in page.starts if cameras else ():
            watched = together([asked.coverage.of(camera, start) for camera in cameras])
            bins.append(_count_bin(start, sums.get(start), watched, selection))
        return TotalsView(**answer_fields(asked.scene, page), added=len(asked.ids), bins=bins)

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
        return CrosswalksView(
            **answer_fields(asked.scene, asked.page),
            areas=area_views(asked, self._asker.store),
            lines=self._series_counts(asked.only("line"), Selection()),
        )

    def _series_counts(self, asked: Asked, selection: Selection) -> list[SeriesCountsView]:
        sums = by_place(self._asker.store.counts(asked.ids, asked.page.width, asked.page.period))

        def view(series: Series, start: datetime, watched: Watched) -> CountBinView:
            return _count_bin(start, sums.get((series.id, start)), watched, selection)

        return [
            SeriesCountsView(**series_fields(asked.scene, s), kind=s.kind, bins=asked.bins(s, view))
            for s in asked.series
        ]


def _count_bin(
    start: datetime, row: CountSums | None, watched: Watched, selection: Selection
) -> CountBinView:
    counts = selection.of(row.counts if row else None)
    return CountBinView(
        **bin_fields(start, watched, state_of_counts(row, watched)),
        counts=counts,
        total=None if counts is None else sum(counts.values()),
        withheld_share=round(row.withheld_bins / row.bins, 4) if row and row.bins else 0.0,
    )
