"""Counts in bins → a Parquet file whose columns say their units."""

from __future__ import annotations

import io
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from common.road_users import RoadUser
from coordinator.traffic.exports.long_rows import COLUMNS, long_rows
from coordinator.traffic.views import CountsView

_MEANINGS = MappingProxyType(
    {
        "start": "first moment of the bin, UTC",
        "width": "nominal width of the bin; day is the local day of the site",
        "count": "road users; null unless state is measured",
        "state": "measured, not_watched, not_reported or withheld",
        "coverage": "watched over wanted seconds, 0 to 1",
        "quality": "share of the wanted seconds watched without doubt, 0 to 1",
    }
)
_UNITS = MappingProxyType({"start": "UTC", "count": "1", "coverage": "1", "quality": "1"})


def parquet_bytes(view: CountsView, road_users: tuple[RoadUser, ...]) -> bytes:
    """One row for every series, bin and class; nulls stay nulls."""
    rows = list(long_rows(view, road_users))
    table = pa.Table.from_pydict(
        {name: [getattr(row, name) for row in rows] for name in COLUMNS}, schema=_schema()
    )
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _schema() -> pa.Schema:
    types = {
        "start": pa.timestamp("us", tz="UTC"),
        "count": pa.int64(),
        "coverage": pa.float64(),
        "quality": pa.float64(),
    }
    return pa.schema(
        [
            pa.field(
                name,
                types.get(name, pa.string()),
                nullable=name == "count",
                metadata={"description": _MEANINGS.get(name, name), "unit": _UNITS.get(name, "")},
            )
            for name in COLUMNS
        ],
        metadata={"product": "ITS Camera AI", "layout": "long counts, version 1"},
    )
