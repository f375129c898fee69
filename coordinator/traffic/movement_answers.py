"""Questions about flows → turning-movement tables and flow matrices."""

from __future__ import annotations

from datetime import datetime

from common.road_users import ROAD_USERS
from coordinator.traffic.answers_store import AnswersStore
from coordinator.traffic.asking import state_of_counts
from coordinator.traffic.count_grid_store import CountGridStore
from coordinator.traffic.coverage import Watched
from coordinator.traffic.movement_views import (
    FlowCellView,
    FlowMatrixView,
    LegView,
    MovementTableView,
    MovementView,
    PeakHourView,
)
from coordinator.traffic.movements import (
    FilledColumn,
    MovementTable,
    build_table,
    columns_of,
    whole_sum,
)
from coordinator.traffic.pages import Coverage, page_of, together, watched_fields
from coordinator.traffic.peak_hour import PeakHour, QuarterHour, find_peak_hour
from coordinator.traffic.periods import Period, Width
from coordinator.traffic.questions import MovementQuestion, Question
from coordinator.traffic.range_coverage import range_fields, watched_in
from coordinator.traffic.scenes import Scene
from coordinator.traffic.store import SceneStore, Session


class MovementAnswers:
    """Tables of flows, for one tenant at one moment."""

    def __init__(self, session: Session, tenant_id: str, *, now: datetime) -> None:
        """Read through ``session``; what lies after ``now`` is not answered."""
        self._scenes = SceneStore(session, tenant_id)
        self._store = AnswersStore(session, tenant_id)
        self._grid = CountGridStore(session, tenant_id)
        self._now = now

    def table(self, site: str, question: MovementQuestion) -> tuple[Scene, Period, MovementTable]:
        """The site, the range that is answered, and its turning-movement table.

        Raises:
            NotFoundError: No such site.
        """
        zone = self._scenes.site(site).zone
        asked = question.bins(zone)
        scene = self._scenes.scene(site, until=asked.end)
        columns = tuple(
            column for column in columns_of(scene) if question.camera in (None, column.camera)
        )
        quarters = 200  # two days with a clock change have 196
        page = page_of(asked, Width.QUARTER_HOUR, scene, most_bins=quarters, now=self._now)
        cameras = sorted({column.camera_id for column in columns})
        series = [series.id for column in columns for series in column.series]
        coverage = Coverage(scene, page, self._grid.coverage(cameras, page))
        counts = self._grid.columns(series, page)
        table = build_table(
            columns, page.starts, counts, {camera: coverage.all_of(camera) for camera in cameras}
        )
        return scene, page.period, table

    def table_view(self, site: str, question: MovementQuestion) -> MovementTableView:
        """The turning-movement table as JSON.

        Raises:
            NotFoundError: No such site.
        """
        scene, period, table = self.table(site, question)
        peak = table.peak_hour
        return MovementTableView(
            **range_fields(scene, period),
            starts=list(table.starts),
            **watched_fields(table.watched),
            movements=[_movement(one) for one in table.columns],
            vehicles=list(table.vehicles),
            legs=[_leg(table, leg, peak) for leg in table.legs],
            peak_hour=_peak(peak),
        )

    def matrix(self, site: str, question: Question) -> FlowMatrixView:
        """Origins and destinations inside the scene over the whole range.

        Raises:
            NotFoundError: No such site.
        """
        scene = self._scenes.scene(site)
        period, watched = watched_in(self._store, scene, question, self._now)
        flows = [
            (series, flow)
            for series in scene.series
            if series.kind == "flow"
            and question.selects(scene, series)
            and (flow := scene.flow(series)) is not None
        ]
        sums = self._store.counts_of_period([series.id for series, _ in flows], period)
        cells = []
        for series, flow in flows:
            row = sums.get(series.id)
            cells.append(
                FlowCellView(
                    camera=scene.camera_of(series),
                    from_section=flow.start,
                    to_section=flow.end,
                    flow=flow.name,
                    state=state_of_counts(row, watched[series.camera_id]),
                    counts=None if row is None or row.counts is None else dict(row.counts),
                    total=None if row is None else row.total,
                )
            )
        of_cameras = [watched[camera] for camera in {series.camera_id for series, _ in flows}]
        whole = together(of_cameras) if of_cameras else Watched(wanted_s=max(1.0, period.seconds))
        sections = sorted({name for cell in cells for name in (cell.from_section, cell.to_section)})
        return FlowMatrixView(
            **range_fields(scene, period),
            coverage=round(whole.coverage, 4),
            quality=round(whole.quality, 4),
            sections=sections,
            matrix=_matrix(sections, cells),
            cells=cells,
        )


def _matrix(sections: list[str], cells: list[FlowCellView]) -> list[list[int | None]]:
    return [
        [
            whole_sum(
                cell.total
                for cell in cells
                if (cell.from_section, cell.to_section) == (origin, destination)
            )
            for destination in sections
        ]
        for origin in sections
    ]


def _movement(one: FilledColumn) -> MovementView:
    return MovementView(
        camera=one.column.camera,
        leg=one.column.leg,
        movement=one.column.movement.value,
        flows=[series.name for series in one.column.series],
        state=one.states,
        counts={user: one.counts.of(user) for user in ROAD_USERS},
        vehicles=one.vehicles,
    )


def _leg(table: MovementTable, leg: tuple[str, str], peak: PeakHour | None) -> LegView:
    quarters = table.leg_quarters(leg)
    hour = find_peak_hour(_of_hour(quarters, peak))
    return LegView(
        camera=leg[0],
        leg=leg[1],
        vehicles=whole_sum(quarter.vehicles for quarter in quarters),
        peak_hour_volume=hour.volume if hour else None,
        peak_hour_factor=hour.factor if hour else None,
    )


def _of_hour(quarters: list[QuarterHour], peak: PeakHour | None) -> list[QuarterHour]:
    if peak is None:
        return []
    first = next(n for n, quarter in enumerate(quarters) if quarter.start == peak.start)
    return quarters[first : first + 4]


def _peak(peak: PeakHour | None) -> PeakHourView | None:
    if peak is None:
        return None
    return PeakHourView(
        start=peak.start,
        volume=peak.volume,
        busiest_quarter=peak.busiest_quarter,
        factor=peak.factor,
        least_coverage=round(peak.least_coverage, 4),
    )
