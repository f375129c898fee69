"""Column name → column, as the versions spell it; never changed once a version uses it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def text(name: str, most: int, *, optional: bool = False) -> sa.Column[str]:
    """Text of bounded length."""
    return sa.Column(name, sa.String(most), nullable=optional)


def moment(name: str, *, optional: bool = False) -> sa.Column[Any]:
    """A moment; aware on PostgreSQL, UTC text on SQLite."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=optional)


def whole(name: str, *, optional: bool = False) -> sa.Column[int]:
    """A whole number of four bytes."""
    return sa.Column(name, sa.Integer(), nullable=optional)


def big_whole(name: str) -> sa.Column[int]:
    """A whole number of eight bytes."""
    return sa.Column(name, sa.BigInteger(), nullable=False)


def big_number_by_itself(name: str) -> sa.Column[int]:
    """A key that the database counts up; SQLite does so for INTEGER alone."""
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def real(name: str, *, optional: bool = False) -> sa.Column[float]:
    """A floating point number of eight bytes."""
    return sa.Column(name, sa.Float(), nullable=optional)


def truth(name: str) -> sa.Column[bool]:
    """Yes or no."""
    return sa.Column(name, sa.Boolean(), nullable=False)


def json(name: str, *, optional: bool = False) -> sa.Column[Any]:
    """A JSON document; an absent one is NULL."""
    return sa.Column(name, sa.JSON(none_as_null=optional), nullable=optional)


def raw(name: str) -> sa.Column[bytes]:
    """Bytes."""
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def counts() -> tuple[sa.Column[Any], ...]:
    """Road users per class and the sums that belong to them."""
    return (
        *(
            whole(name, optional=True)
            for name in ("person", "bicycle", "motorcycle", "car", "bus", "truck")
        ),
        whole("inferred"),
        whole("speeds"),
        real("speed_sum_kmh"),
        whole("headways"),
        real("headway_sum_s"),
        real("headway_least_s", optional=True),
        whole("time_gaps"),
        real("time_gap_sum_s"),
    )
