"""Rollouts, their boxes and their events of one tenant ↔ rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from common.errors import NotFoundError
from coordinator.fleet.states import DeviceState
from coordinator.fleet.tables import DeviceRow, HealthRow, SiteRow, TwinRow
from coordinator.rollouts.tables import ModelRunRow, RolloutBoxRow, RolloutEventRow, RolloutRow

__all__ = ["EnrolledBox", "RolloutStore", "Session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledBox:
    """A box that can take part.

    Attributes:
        health: Its newest report as JSON, None before the first.
        desired: What was wished of it, as JSON.
    """

    device: str
    site: str
    last_seen_at: datetime | None
    health: dict[str, Any] | None
    desired: dict[str, Any]


class RolloutStore:
    """Everything about rollouts, for one tenant and one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, row: RolloutRow, boxes: Sequence[RolloutBoxRow]) -> None:
        """Keep a new rollout."""
        self._session.add(row)
        self._session.flush()
        self._session.add_all(boxes)
        self._session.flush()

    def add_boxes(self, boxes: Sequence[RolloutBoxRow]) -> None:
        """Let boxes join a rollout."""
        self._session.add_all(boxes)
        self._session.flush()

    def find(self, rollout: str) -> RolloutRow | None:
        """One rollout, None when it is not known."""
        row = self._session.get(RolloutRow, rollout)
        return row if row is not None and row.tenant_id == self._tenant_id else None

    def rollout(self, rollout: str, *, to_change: bool = False) -> RolloutRow:
        """One rollout; to be changed, it is held until the end of the transaction.

        Raises:
            NotFoundError: No such rollout.
        """
        row = self._session.get(
            RolloutRow, rollout, with_for_update=to_change, populate_existing=to_change
        )
        if row is None or row.tenant_id != self._tenant_id:
            raise NotFoundError(
                f"rollout {rollout[:64]!r} is not known",
                hint="list the rollouts with: its-camera-ai rollouts list",
            )
        return row

    def newest(self) -> RolloutRow | None:
        """The rollout that was started last."""
        query = select(RolloutRow).where(col(RolloutRow.tenant_id) == self._tenant_id)
        return self._session.scalars(query.order_by(col(RolloutRow.number).desc())).first()

    def rollouts(self) -> Sequence[RolloutRow]:
        """Every rollout, the newest first."""
        query = select(RolloutRow).where(col(RolloutRow.tenant_id) == self._tenant_id)
        return self._session.scalars(query.order_by(col(RolloutRow.number).desc())).all()

    def boxes(self, rollout: str) -> Sequence[RolloutBoxRow]:
        """Boxes of a rollout by wave and name."""
        query = (
            select(RolloutBoxRow)
            .where(
                col(RolloutBoxRow.rollout_id) == rollout,
                col(RolloutBoxRow.tenant_id) == self._tenant_id,
            )
            .order_by(col(RolloutBoxRow.wave), col(RolloutBoxRow.device_id))
        )
        return self._session.scalars(query).all()

    def wished(self, rollout: str, device: str, *, state: str) -> None:
        """The twin was told what ``state`` asks for; unless the box is in another one by now."""
        statement = (
            update(RolloutBoxRow)
            .where(
                col(RolloutBoxRow.rollout_id) == rollout,
                col(RolloutBoxRow.device_id) == device,
                col(RolloutBoxRow.state) == state,
            )
            .values(is_wished=True)
        )
        self._session.execute(statement)

    def counts(self) -> dict[str, dict[str, int]]:
        """Rollout → state of its boxes → how many."""
        query = (
            select(col(RolloutBoxRow.rollout_id), col(RolloutBoxRow.state), func.count())
            .where(col(RolloutBoxRow.tenant_id) == self._tenant_id)
            .group_by(col(RolloutBoxRow.rollout_id), col(RolloutBoxRow.state))
        )
        found: dict[str, dict[str, int]] = {}
        for rollout, state, count in self._session.execute(query):
            found.setdefault(rollout, {})[state] = int(count)
        return found

    def tell(self, row: RolloutRow, kind: str, text: str, *, by: str, now: datetime) -> None:
        """Write what happened; the caller holds the rollout, so the numbers have no holes."""
        query = select(func.max(col(RolloutEventRow.number))).where(
            col(RolloutEventRow.rollout_id) == row.id
        )
        self._session.add(row)
        self._session.add(
            RolloutEventRow(
                rollout_id=row.id,
                number=(self._session.scalar(query) or 0) + 1,
                tenant_id=self._tenant_id,
                at=now,
                by=by[:128],
                kind=kind,
                text=text[:2000],
            )
        )
        self._session.flush()

    def events(self, rollout: str) -> Sequence[RolloutEventRow]:
        """What happened in a rollout, in order."""
        query = (
            select(RolloutEventRow)
            .where(
                col(RolloutEventRow.rollout_id) == rollout,
                col(RolloutEventRow.tenant_id) == self._tenant_id,
            )
            .order_by(col(RolloutEventRow.number))
        )
        return self._session.scalars(query).all()

    def enrolled(self) -> dict[str, EnrolledBox]:
        """Every enrolled box with its site, its newest report and what was wished of it."""
        query = (
            select(DeviceRow, SiteRow, HealthRow, TwinRow)
            .join(SiteRow, col(SiteRow.id) == col(DeviceRow.site_id))
            .outerjoin(HealthRow, col(HealthRow.device_id) == col(DeviceRow.id))
            .outerjoin(TwinRow, col(TwinRow.device_id) == col(DeviceRow.id))
            .where(
                col(DeviceRow.tenant_id) == self._tenant_id,
                col(DeviceRow.state) == DeviceState.ENROLLED.value,
            )
        )
        return {
            device.id: EnrolledBox(
                device=device.id,
                site=site.slug,
                last_seen_at=device.last_seen_at,
                health=health.content if health is not None else None,
                desired=twin.desired if twin is not None else {},
            )
            for device, site, health, twin in self._session.execute(query)
        }

    def open_runs(self) -> dict[str, ModelRunRow]:
        """Box → what it counts with, as far as it is known."""
        query = select(ModelRunRow).where(
            col(ModelRunRow.tenant_id) == self._tenant_id, col(ModelRunRow.ended_at).is_(None)
        )
        return {row.device_id: row for row in self._session.scalars(query)}

    def begin_run(self, before: ModelRunRow | None, row: ModelRunRow) -> None:
        """End what a box counted with and begin the next."""
        if before is not None:
            before.ended_at = row.began_at
            self._session.add(before)
        self._session.add(row)
        self._session.flush()

    def runs(
        self, *, device: str | None = None, version: str | None = None, most: int = 1000
    ) -> Sequence[ModelRunRow]:
        """Which model ran where and when, the newest first."""
        query = select(ModelRunRow).where(col(ModelRunRow.tenant_id) == self._tenant_id)
        if device is not None:
            query = query.where(col(ModelRunRow.device_id) == device)
        if version is not None:
            query = query.where(col(ModelRunRow.version) == version)
        ordered = query.order_by(col(ModelRunRow.began_at).desc(), col(ModelRunRow.device_id))
        return self._session.scalars(ordered.limit(most)).all()
