"""An asked question → occupancy, queues and walks of its areas."""

from __future__ import annotations

from datetime import datetime

from coordinator.traffic.answers import AreaSums
from coordinator.traffic.answers_store import AnswersStore
from coordinator.traffic.asking import Asked
from coordinator.traffic.coverage import Watched, state_of
from coordinator.traffic.pages import bin_fields, by_place, series_fields
from coordinator.traffic.scenes import Series
from coordinator.traffic.views import AreaBinView, SeriesAreaView


def area_views(asked: Asked, store: AnswersStore) -> list[SeriesAreaView]:
    """Every area of the question; series of other kinds are passed over."""
    areas = asked.only("area")
    sums = by_place(store.areas(areas.ids, asked.page.width, asked.page.period))

    def view(series: Series, start: datetime, watched: Watched) -> AreaBinView:
        row: AreaSums | None = sums.get((series.id, start))
        return _area_bin(start, row, watched)

    return [
        SeriesAreaView(
            **series_fields(asked.scene, series),
            use=asked.scene.use(series),
            bins=areas.bins(series, view),
        )
        for series in areas.series
    ]


def _area_bin(start: datetime, row: AreaSums | None, watched: Watched) -> AreaBinView:
    values = (
        (row.occupied_share, row.queue_most, row.queue_most_m, row.dwell_mean_s, row.walks)
        if row
        else (None,) * 5
    )
    state = state_of(
        has_number=any(value is not None for value in values),
        withheld_bins=row.withheld_bins if row else 0,
        watched=watched,
    )
    return AreaBinView(
        **bin_fields(start, watched, state),
        occupied_share=row.occupied_share if row else None,
        queue_most=row.queue_most if row else None,
        queue_most_m=row.queue_most_m if row else None,
        dwell_mean_s=row.dwell_mean_s if row else None,
        walks=row.walks if row else None,
        withheld_share=round(row.withheld_bins / row.bins, 4) if row and row.bins else 0.0,
    )
