"""A rollout's rows and a step → the rows after it, with what everybody is to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from common.orders import DesiredRelease
from common.release.manifest import is_model_version
from common.timing import Clock
from coordinator.registry.canaries import record_canary
from coordinator.registry.store import ModelStore
from coordinator.rollouts.states import REACHED, UNDER_WAY, BoxState, RolloutState
from coordinator.rollouts.store import EnrolledBox, RolloutStore, Session
from coordinator.rollouts.tables import RolloutBoxRow, RolloutRow
from coordinator.rollouts.words import verdict, word_of
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action

GONE = "not_enrolled"
"""Why a box left a rollout that was taken out of service meanwhile."""


class Move:
    """Changes one rollout within one transaction."""

    def __init__(self, session: Session, row: RolloutRow, *, tenant: str, clock: Clock) -> None:
        """Change ``row``, which the caller holds."""
        self._session = session
        self._row = row
        self._tenant = tenant
        self._now = clock.now()
        self._store = RolloutStore(session, tenant)
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def to(self, state: RolloutState, wave: int, reason: str, *, by: str) -> None:
        """Take the rollout to a state and a wave, and its boxes with it."""
        row, boxes = self._row, self._store.boxes(self._row.id)
        was_canary = row.state == RolloutState.CANARY
        if wave != row.wave or row.state == RolloutState.PLANNED:
            row.entered_at = self._now
        row.state, row.wave, row.reason, row.changed_at = state.value, wave, reason, self._now
        if state is RolloutState.WAITING and was_canary:
            confirmed = sum(box.state == BoxState.CONFIRMED for box in boxes)
            models = ModelStore(self._session, self._tenant)
            record_canary(models, row.version, rollout=row.id, boxes=confirmed, now=self._now)
        if state is RolloutState.HALTED:
            self._withdraw(boxes, {BoxState.TOLD})
        if state is RolloutState.ROLLED_BACK:
            self._withdraw(boxes, REACHED)
        self._store.tell(row, state.value, reason, by=by, now=self._now)
        self._audit.record(
            self._session,
            Action.ROLLOUT_MOVED,
            subject=row.id,
            detail={"state": state.value, "why": reason},
        )

    def told(self, boxes: Iterable[RolloutBoxRow], enrolled: dict[str, EnrolledBox]) -> None:
        """Remember what each box ran, so that it can be told to go back; it is wished after."""
        for box in boxes:
            known = enrolled[box.device_id]
            word = word_of(known.health)
            box.state, box.told_at, box.is_wished = BoxState.TOLD.value, self._now, False
            box.before = known.desired.get("release")
            box.before_version = word.active_version if word else None
            box.since_before = word.since if word else None
            self._session.add(box)

    def observe(self, boxes: Sequence[RolloutBoxRow], enrolled: dict[str, EnrolledBox]) -> None:
        """Take in what the boxes say."""
        for box in boxes:
            known = enrolled.get(box.device_id)
            if known is None:
                if box.state in (BoxState.PENDING, BoxState.TOLD):
                    box.state, box.reason = BoxState.WITHDRAWN.value, GONE
                    self._session.add(box)
                continue
            if box.state in (BoxState.TOLD, BoxState.CONFIRMED):
                self._judge(box, known)

    def _judge(self, box: RolloutBoxRow, known: EnrolledBox) -> None:
        word = word_of(known.health)
        if word is None:
            return
        is_about_it = self._row.version in (word.wanted_version, word.active_version)
        if is_about_it and word.since != box.since_before:
            box.step, box.reason = word.step.value, word.reason
            box.gate = word.gate.model_dump(mode="json") if word.gate else box.gate
        found = verdict(word, version=self._row.version, since_before=box.since_before)
        if found is None or found == box.state:
            return
        box.state, box.settled_at = found.value, self._now
        self._session.add(box)
        step = "" if word.step.value == found.value else f", {word.step}"
        said = f" ({word.reason})" if word.reason else ""
        text = f"{box.device_id}: {found.value}{step}{said}"
        self._store.tell(self._row, "box", text, by=box.device_id, now=self._now)

    def _withdraw(self, boxes: Sequence[RolloutBoxRow], states: Collection[str]) -> None:
        """Whoever has it goes back; whoever refused it is no longer asked for it."""
        for box in boxes:
            if box.state in states:
                box.state, box.is_wished = BoxState.WITHDRAWN.value, False
            elif box.state == BoxState.FAILED:
                box.is_wished = False
            self._session.add(box)


def wanted_of(row: RolloutRow, box: RolloutBoxRow) -> DesiredRelease | None:
    """What the twin of a box shall ask for."""
    if box.state in (BoxState.TOLD, BoxState.CONFIRMED):
        return DesiredRelease(name=row.name, version=row.version, attempt=row.number)
    earlier = box.before_version
    if earlier and earlier != row.version and is_model_version(earlier):
        return DesiredRelease(name=row.name, version=earlier, attempt=row.number)
    before: dict[str, Any] | None = box.before
    return DesiredRelease.model_validate(before) if before else None


def is_under_way(row: RolloutRow) -> bool:
    """True while it moves by itself."""
    return RolloutState(row.state) in UNDER_WAY
