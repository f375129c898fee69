"""The newest rollout and what boxes report → the next step, and orders to the boxes.

Every step is one transaction; orders follow after it and are made up for after a crash, because
each box's row says whether its twin was told. What boxes count with is written down on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from common.errors import ConflictError
from common.timing import Clock
from coordinator.database import Database
from coordinator.fleet.reading_store import reading
from coordinator.fleet.twins import Twins
from coordinator.registry.canaries import ROLLOUTS, is_in_production
from coordinator.registry.store import ModelStore
from coordinator.rollouts.history import keep_history
from coordinator.rollouts.moving import Move, is_under_way, wanted_of
from coordinator.rollouts.states import Box, BoxState, Limits, Rollout, RolloutState, decide
from coordinator.rollouts.store import EnrolledBox, RolloutStore, Session
from coordinator.rollouts.tables import RolloutBoxRow, RolloutRow
from coordinator.security.actors import Actor, ActorKind, acting_as

log = structlog.get_logger(__name__)

AWAY_S = 300.0
"""A box reports its health about every minute; one that was silent for so long is away."""


class RolloutDriver:
    """Moves the rollouts of one tenant; several at once get in nobody's way."""

    def __init__(self, database: Database, twins: Twins, *, tenant: str, clock: Clock) -> None:
        """Tell boxes through ``twins``."""
        self._database = database
        self._twins = twins
        self._tenant = tenant
        self._clock = clock

    def tick(self) -> None:
        """One look at the fleet.

        Raises:
            UnreachableError: The database is away.
        """
        with acting_as(Actor(kind=ActorKind.SERVICE, name=ROLLOUTS)):
            with self._database.session() as session:
                self._look(session)
            self._wish_due()

    def _look(self, session: Session) -> None:
        store, now = RolloutStore(session, self._tenant), self._clock.now()
        enrolled = store.enrolled()
        newest = store.newest()
        keep_history(store, enrolled, newest, tenant=self._tenant, now=now)
        if newest is None or not (is_under_way(newest) or newest.state == RolloutState.DONE):
            return
        row = store.rollout(newest.id, to_change=True)
        boxes = list(store.boxes(row.id))
        if row.state in (RolloutState.FLEET, RolloutState.DONE):
            boxes += self._joined(store, row, boxes, enrolled)
        move = Move(session, row, tenant=self._tenant, clock=self._clock)
        move.observe(boxes, enrolled)
        models = ModelStore(session, self._tenant)
        rollout = Rollout(
            state=RolloutState(row.state),
            wave=row.wave,
            waves=row.waves,
            entered_at=row.entered_at,
            limits=Limits(**row.limits),
            is_paused=row.is_paused,
            is_approved=is_in_production(models, row.version),
        )
        # Later than what was just written down about boxes that settled.
        now = self._clock.now()
        decision = decide(rollout, [_box(box, enrolled, now) for box in boxes], now=now)
        tell = set(decision.tell)
        move.told((box for box in boxes if box.device_id in tell), enrolled)
        if (decision.state, decision.wave) != (rollout.state, rollout.wave):
            move.to(decision.state, decision.wave, decision.reason, by=ROLLOUTS)
            log.info("rollout_moved", rollout=row.id, state=decision.state, why=decision.reason)

    def _joined(
        self,
        store: RolloutStore,
        row: RolloutRow,
        boxes: Sequence[RolloutBoxRow],
        enrolled: dict[str, EnrolledBox],
    ) -> list[RolloutBoxRow]:
        """Boxes that were enrolled since, where the rollout was for everybody."""
        if not row.is_for_all:
            return []
        known = {box.device_id for box in boxes}
        joined = [
            RolloutBoxRow(
                rollout_id=row.id,
                device_id=device,
                tenant_id=self._tenant,
                site=box.site,
                wave=row.waves - 1,
                state=BoxState.PENDING.value,
            )
            for device, box in sorted(enrolled.items())
            if device not in known
        ]
        if joined:
            store.add_boxes(joined)
        return joined

    def _wish_due(self) -> None:
        """Tell the twins what the rows ask for; again after a crash."""
        with reading(self._database) as session:
            store = RolloutStore(session, self._tenant)
            row = store.newest()
            due = [box for box in store.boxes(row.id) if not box.is_wished] if row else []
        if row is None:
            return
        for box in due:
            try:
                self._twins.wish_release(box.device_id, wanted_of(row, box))
            except ConflictError as error:
                log.info("box_left_rollout", device=box.device_id, reason=str(error))
            self._wished(row.id, box.device_id, box.state)

    def _wished(self, rollout: str, device: str, state: str) -> None:
        with self._database.session() as session:
            RolloutStore(session, self._tenant).wished(rollout, device, state=state)


def _box(row: RolloutBoxRow, enrolled: dict[str, EnrolledBox], now: datetime) -> Box:
    known = enrolled.get(row.device_id)
    seen = known.last_seen_at if known else None
    return Box(
        device=row.device_id,
        wave=row.wave,
        state=BoxState(row.state),
        is_away=seen is None or now - seen > timedelta(seconds=AWAY_S),
        settled_at=row.settled_at,
    )
