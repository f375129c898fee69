"""Rows of the fleet → who can be asked to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from coordinator.fleet.tables import DeviceRow, HealthRow, LearningKeyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainee:
    """A box, as far as rounds are concerned.

    Attributes:
        samples: Labelled and pseudo-labelled images by its newest health report, None where
            the report says nothing of them.
    """

    device: str
    state: str
    has_learning_key: bool
    samples: int | None


class TraineeStore:
    """Boxes of one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def trainees(self) -> Sequence[Trainee]:
        """Every box, ended ones included, by id."""
        query = (
            select(
                col(DeviceRow.id),
                col(DeviceRow.state),
                col(LearningKeyRow.digest),
                col(HealthRow.content),
            )
            .join(
                LearningKeyRow,
                (col(LearningKeyRow.device_id) == col(DeviceRow.id))
                & col(LearningKeyRow.ended_at).is_(None),
                isouter=True,
            )
            .join(HealthRow, col(HealthRow.device_id) == col(DeviceRow.id), isouter=True)
            .where(col(DeviceRow.tenant_id) == self._tenant_id)
            .order_by(col(DeviceRow.id))
        )
        return [
            Trainee(
                device=device,
                state=state,
                has_learning_key=digest is not None,
                samples=known_samples(health),
            )
            for device, state, digest, health in self._session.execute(query)
        ]


def known_samples(health: Mapping[str, Any] | None) -> int | None:
    """Images that a box could train on, by its health report."""
    learning = (health or {}).get("learning")
    samples = learning.get("samples") if isinstance(learning, dict) else None
    return samples if isinstance(samples, int) and samples >= 0 else None
