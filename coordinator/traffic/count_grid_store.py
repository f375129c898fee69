"""Series and cameras, and the bins of a page → classes and coverage, a value for every bin.

What charts and tables ask for most: classes alone, no other sums. Moments come as whole
seconds, which are cheaper to look up than aware datetimes, and nothing is sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlmodel import Session, col

from common.road_users import ROAD_USERS
from coordinator.traffic.count_columns import CountColumns
from coordinator.traffic.pages import Page, Told
from coordinator.traffic.periods import Width
from coordinator.traffic.rollup_tables import CameraRollupRow, CountRollupRow, KindRollupRow
from coordinator.traffic.tables import CameraBinRow, CountRow

_NAMES = tuple(user.value for user in ROAD_USERS)
_AFTER_CLASSES = 2 + len(_NAMES)
_Column = ColumnElement[Any]

Kind = tuple[int, str]
"""Camera id, and ``line`` or ``flow``."""


class CountGridStore:
    """Counts of whole pages, for one tenant; every question is one statement."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def columns(self, series_ids: Sequence[int], page: Page) -> dict[int, CountColumns]:
        """Series id → its counts; a series that reported nothing has empty ones."""
        row: Any = CountRow if page.width is Width.MINUTE else CountRollupRow
        is_base = row is CountRow
        sums = _classes(row, is_summed=is_base)
        keys = col(row.series_id), col(row.start)
        query = select(
            col(row.series_id), self._epoch_s(row.start), *sums, *_how_many(row, is_summed=is_base)
        ).where(*self._within(row, page, series_ids))
        rows = self._rows(query.group_by(*keys) if is_base else query)
        mine: dict[int, list[Any]] = {series_id: [] for series_id in series_ids}
        for values in rows:
            mine[values[0]].append(values)
        places = page.places()
        return {series_id: _columns(found, places) for series_id, found in mine.items()}

    def added(self, series_ids: Sequence[int], page: Page) -> CountColumns:
        """All series added up in the database; bins that nobody reported are None."""
        row: Any = CountRow if page.width is Width.MINUTE else CountRollupRow
        query = (
            select(
                func.count(),
                self._epoch_s(row.start),
                *_classes(row, is_summed=True),
                *_how_many(row, is_summed=True),
            )
            .where(*self._within(row, page, series_ids))
            .group_by(col(row.start))
        )
        return _columns(self._rows(query), page.places())

    def added_kinds(self, kinds: Sequence[Kind], page: Page) -> CountColumns:
        """All series of some kinds of cameras added up, from sums that are kept of them.

        Raises:
            ValueError: Minutes, of which no sums are kept.
        """
        if page.width is Width.MINUTE:
            raise ValueError("no sums of kinds are kept for minutes, expected a wider bin")
        row: Any = KindRollupRow
        is_summed = len(kinds) > 1
        query = select(
            literal(0),
            self._epoch_s(row.start),
            *_classes(row, is_summed=is_summed),
            *_how_many(row, is_summed=is_summed),
        ).where(
            col(row.tenant_id) == self._tenant_id,
            or_(*(and_(row.camera_id == camera, row.kind == kind) for camera, kind in kinds)),
            *_in_bins(row, page),
        )
        rows = self._rows(query.group_by(col(row.start)) if is_summed else query)
        return _columns(rows, page.places())

    def coverage(self, camera_ids: Sequence[int], page: Page) -> dict[int, dict[int, Told]]:
        """Camera id → place of the bin → what was reported of it."""
        is_base = page.width is Width.MINUTE
        row: Any = CameraBinRow if is_base else CameraRollupRow
        keys = col(row.camera_id), col(row.start)
        query = select(
            col(row.camera_id), self._epoch_s(row.start), *_watched(is_base=is_base)
        ).where(
            col(row.tenant_id) == self._tenant_id,
            col(row.camera_id).in_(camera_ids),
            *_in_bins(row, page),
        )
        places = page.places()
        told: dict[int, dict[int, Told]] = {}
        for camera_id, epoch_s, bins, watched_s, good_s, degraded in self._rows(
            query.group_by(*keys) if is_base else query
        ):
            place = places.get(epoch_s)
            if place is not None:
                told.setdefault(camera_id, {})[place] = bins, watched_s, good_s, degraded
        return told

    def _rows(self, query: Any) -> Sequence[Any]:
        found: Sequence[Any] = self._session.connection().execute(query).all()
        return found

    def _within(self, row: Any, page: Page, series_ids: Sequence[int]) -> list[_Column]:
        return [
            col(row.tenant_id) == self._tenant_id,
            col(row.series_id).in_(series_ids),
            *_in_bins(row, page),
        ]

    def _epoch_s(self, start: Any) -> _Column:
        if self._session.connection().dialect.name == "postgresql":
            return cast(func.date_part("epoch", start), BigInteger)
        return cast(func.strftime("%s", start), Integer)


def _classes(row: Any, *, is_summed: bool) -> list[_Column]:
    columns: list[_Column] = [getattr(row, name) for name in _NAMES]
    # SUM passes over NULL and is NULL where every part is: unwatched never becomes 0.
    return [func.sum(column) for column in columns] if is_summed else columns


def _how_many(row: Any, *, is_summed: bool) -> list[_Column]:
    """Reported bins, and how many of them were withheld."""
    if row is CountRow:
        return [func.count(), func.sum(case((col(CountRow.withheld), 1), else_=0))]
    columns: list[_Column] = [row.bins, row.withheld_bins]
    return [func.sum(column) for column in columns] if is_summed else columns


def _in_bins(row: Any, page: Page) -> list[_Column]:
    return [
        col(row.width_s) == page.width.seconds,
        col(row.start) >= page.period.start,
        col(row.start) < page.period.end,
    ]


def _watched(*, is_base: bool) -> list[_Column]:
    """Bins, seconds watched, seconds watched without doubt, degraded bins."""
    if not is_base:
        wide: Any = CameraRollupRow
        return [wide.bins, wide.coverage_s, wide.good_s, wide.degraded_bins]
    watched_s, quality = col(CameraBinRow.coverage_s), col(CameraBinRow.quality)
    return [
        func.count(),
        func.sum(watched_s),
        func.sum(case((quality == "good", watched_s), else_=0.0)),
        func.sum(case((quality == "degraded", 1), else_=0)),
    ]


def _columns(rows: Iterable[Sequence[Any]], places: Mapping[int, int]) -> CountColumns:
    cells: list[tuple[int, ...] | None] = [None] * len(places)
    bins, withheld_bins = [0] * len(places), [0] * len(places)
    for values in rows:
        place = places.get(values[1])
        if place is None:
            continue  # a day of another time zone, from before the site was moved
        classes = tuple(values[2:_AFTER_CLASSES])
        if None not in classes:
            cells[place] = classes
        elif any(number is not None for number in classes):
            cells[place] = tuple(number or 0 for number in classes)
        bins[place], withheld_bins[place] = values[_AFTER_CLASSES:]
    return CountColumns(cells=cells, bins=bins, withheld_bins=withheld_bins)
