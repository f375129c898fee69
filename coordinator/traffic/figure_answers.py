"""Questions about figures → speeds, headways, areas and levels of service."""

from __future__ import annotations

from datetime import datetime

from coordinator.traffic.area_answers import area_views
from coordinator.traffic.asking import Asker, of_kind, state_of_counts
from coordinator.traffic.coverage import Watched
from coordinator.traffic.pages import answer_fields, bin_fields, by_place, series_fields
from coordinator.traffic.questions import BinQuestion, ServiceQuestion
from coordinator.traffic.scenes import Series
from coordinator.traffic.service_level import Stream, judge_service
from coordinator.traffic.speed_figures import mean_kmh, percentile_kmh
from coordinator.traffic.store import Session
from coordinator.traffic.views import (
    AreasView,
    SeriesServiceView,
    SeriesSpacingView,
    SeriesSpeedsView,
    ServiceBinView,
    ServiceView,
    SpacingBinView,
    SpacingView,
    SpeedBinView,
    SpeedsView,
)


class FigureAnswers:
    """Figures in bins, for one tenant at one moment."""

    def __init__(self, session: Session, tenant_id: str, *, now: datetime) -> None:
        """Read through ``session``; bins after ``now`` are not answered."""
        self._asker = Asker(session, tenant_id, now=now)

    def speeds(self, site: str, question: BinQuestion) -> SpeedsView:
        """Mean, V85 and histogram of every chosen direction.

        Raises:
            NotFoundError: No such site.
        """
        asked = self._asker.ask(site, question, of_kind(question, "line"))
        page = asked.page
        sums = by_place(self._asker.store.counts(asked.ids, page.width, page.period))
        histograms = self._asker.store.speeds(asked.ids, page.width, page.period)

        def view(series: Series, start: datetime, watched: Watched) -> SpeedBinView:
            row = sums.get((series.id, start))
            classes = histograms.get((series.id, start), {})
            return SpeedBinView(
                **bin_fields(start, watched, state_of_counts(row, watched)),
                speeds=row.speeds if row else 0,
                mean_kmh=mean_kmh(row.speeds, row.speed_sum_kmh) if row else None,
                v85_kmh=percentile_kmh(classes, 85),
                histogram=dict(sorted(classes.items())),
            )

        return SpeedsView(
            **answer_fields(asked.scene, page),
            series=[
                SeriesSpeedsView(**series_fields(asked.scene, s), bins=asked.bins(s, view))
                for s in asked.series
            ],
        )

    def headways(self, site: str, question: BinQuestion) -> SpacingView:
        """Headways and time gaps of every chosen direction.

        Raises:
            NotFoundError: No such site.
        """
        asked = self._asker.ask(site, question, of_kind(question, "line"))
        sums = by_place(self._asker.store.counts(asked.ids, asked.page.width, asked.page.period))

        def view(series: Series, start: datetime, watched: Watched) -> SpacingBinView:
            row = sums.get((series.id, start))
            return SpacingBinView(
                **bin_fields(start, watched, state_of_counts(row, watched)),
                headways=row.headways if row else 0,
                headway_mean_s=row.headway_sum_s / row.headways if row and row.headways else None,
                headway_least_s=row.headway_least_s if row else None,
                time_gaps=row.time_gaps if row else 0,
                time_gap_mean_s=(
                    row.time_gap_sum_s / row.time_gaps if row and row.time_gaps else None
                ),
            )

        return SpacingView(
            **answer_fields(asked.scene, asked.page),
            series=[
                SeriesSpacingView(**series_fields(asked.scene, s), bins=asked.bins(s, view))
                for s in asked.series
            ],
        )

    def areas(self, site: str, question: BinQuestion) -> AreasView:
        """Occupancy, queues and walks of every chosen area.

        Raises:
            NotFoundError: No such site.
        """
        asked = self._asker.ask(site, question, of_kind(question, "area"))
        return AreasView(
            **answer_fields(asked.scene, asked.page), series=area_views(asked, self._asker.store)
        )

    def service(self, site: str, question: ServiceQuestion) -> ServiceView:
        """Level of service of every chosen direction, or the reason why there is none.

        Raises:
            NotFoundError: No such site.
        """
        asked = self._asker.ask(site, question, of_kind(question, "line"))
        page = asked.page
        sums = by_place(self._asker.store.counts(asked.ids, page.width, page.period))
        histograms = self._asker.store.speeds(asked.ids, page.width, page.period)

        def view(series: Series, start: datetime, watched: Watched) -> ServiceBinView:
            row = sums.get((series.id, start))
            found = judge_service(
                Stream(
                    counts=row.counts if row else None,
                    watched_s=watched.watched_s,
                    coverage=watched.coverage,
                    speeds=histograms.get((series.id, start), {}),
                    facility=question.facility,
                    lanes=question.lanes,
                )
            )
            return ServiceBinView(
                **bin_fields(start, watched, state_of_counts(row, watched)),
                level=found.level,
                reason=found.reason,
                flow_pc_h=found.flow_pc_h,
                space_mean_kmh=found.space_mean_kmh,
                density_pc_km_lane=found.density_pc_km_lane,
            )

        return ServiceView(
            **answer_fields(asked.scene, page),
            series=[
                SeriesServiceView(**series_fields(asked.scene, s), bins=asked.bins(s, view))
                for s in asked.series
            ],
        )
