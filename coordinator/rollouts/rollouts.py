"""Wishes of people → rollouts that are begun, paused, resumed, halted and taken back.

The database holds every rollout; ``driving`` moves them in ``coordinator serve``. A command line
beside it, or the API of another process, need nothing but the database.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from common.errors import ConfigError, ConflictError, NotFoundError
from common.timing import Clock
from coordinator.database import Database
from coordinator.fleet.reading_store import reading
from coordinator.registry.stages import ORDER, DeploymentStage
from coordinator.registry.store import ModelStore
from coordinator.registry.tables import ModelVersionRow
from coordinator.rollouts.moving import Move, is_under_way
from coordinator.rollouts.planning import plan_waves
from coordinator.rollouts.states import BoxState, RolloutState
from coordinator.rollouts.store import RolloutStore, Session
from coordinator.rollouts.tables import RolloutBoxRow, RolloutRow
from coordinator.rollouts.views import (
    ModelRunView,
    RolloutBoxView,
    RolloutDetailView,
    RolloutEventView,
    RolloutView,
    RolloutWish,
)
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action, Value

log = structlog.get_logger(__name__)

_MAY_GO_OUT = ORDER[ORDER.index(DeploymentStage.CANARY) :]


class Rollouts:
    """Rollouts of one tenant; safe to share between threads and processes."""

    def __init__(self, database: Database, *, tenant: str, clock: Clock) -> None:
        """Keep rollouts of ``tenant``."""
        self._database = database
        self._tenant = tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def start(self, wish: RolloutWish, *, by: str) -> RolloutView:
        """Plan a rollout; its canaries are told within seconds.

        Raises:
            NotFoundError: No such version, or a named box is not enrolled.
            ConflictError: The version may not go out, or another rollout is under way.
            ConfigError: Shares that do not rise to 1.
        """
        now = self._clock.now()
        with self._database.session() as session:
            store = RolloutStore(session, self._tenant)
            model = ModelStore(session, self._tenant).version(wish.version)
            _require_may_go_out(model)
            newest = store.newest()
            if newest is not None and is_under_way(newest):
                raise ConflictError(
                    f"rollout {newest.id} is under way ({newest.state}), expected one at a time",
                    hint="halt it, or wait until it is done",
                )
            row = self._row(wish, model, number=(newest.number if newest else 0) + 1, by=by)
            boxes = self._members(store, wish, row)
            row.waves = max(box.wave for box in boxes) + 1
            store.add(row, boxes)
            text = f"{len(boxes)} boxes in {row.waves} waves"
            store.tell(row, RolloutState.PLANNED.value, text, by=by, now=now)
            canaries = sum(box.wave == 0 for box in boxes)
            detail: dict[str, Value] = {
                "version": row.version,
                "boxes": len(boxes),
                "canaries": canaries,
            }
            self._audit.record(session, Action.ROLLOUT_STARTED, subject=row.id, detail=detail)
            log.info("rollout_started", rollout=row.id, version=row.version, boxes=len(boxes))
            return RolloutView.of(row, {BoxState.PENDING.value: len(boxes)})

    def list(self) -> list[RolloutView]:
        """Every rollout, the newest first."""
        with reading(self._database) as session:
            store = RolloutStore(session, self._tenant)
            counts = store.counts()
            return [RolloutView.of(row, counts.get(row.id, {})) for row in store.rollouts()]

    def show(self, rollout: str) -> RolloutDetailView:
        """One rollout with every box and everything that happened.

        Raises:
            NotFoundError: No such rollout.
        """
        with reading(self._database) as session:
            store = RolloutStore(session, self._tenant)
            row = store.rollout(rollout)
            return RolloutDetailView(
                **RolloutView.of(row, store.counts().get(row.id, {})).model_dump(),
                members=[RolloutBoxView.of(box) for box in store.boxes(rollout)],
                events=[RolloutEventView.of(event) for event in store.events(rollout)],
            )

    def history(
        self, *, device: str | None = None, version: str | None = None
    ) -> Sequence[ModelRunView]:
        """Which model ran on which box and when, the newest first."""
        with reading(self._database) as session:
            rows = RolloutStore(session, self._tenant).runs(device=device, version=version)
            return [ModelRunView.of(row) for row in rows]

    def pause(self, rollout: str, *, by: str) -> RolloutView:
        """Tell nobody new; boxes that were told go on.

        Raises:
            NotFoundError: No such rollout.
            ConflictError: It is paused already, or moves no more.
        """
        return self._set_paused(rollout, by=by, is_paused=True)

    def resume(self, rollout: str, *, by: str) -> RolloutView:
        """Go on with a paused rollout.

        Raises:
            NotFoundError: No such rollout.
            ConflictError: It is not paused, or moves no more.
        """
        return self._set_paused(rollout, by=by, is_paused=False)

    def halt(self, rollout: str, *, by: str, reason: str) -> RolloutView:
        """End a rollout where it is; boxes that have not taken the version yet are called back.

        Raises:
            NotFoundError: No such rollout.
            ConflictError: It moves no more.
        """

        def step(session: Session, row: RolloutRow) -> None:
            _require_under_way(row)
            self._move(session, row).to(RolloutState.HALTED, row.wave, reason, by=by)

        return self._changed(rollout, step)

    def roll_back(self, rollout: str, *, by: str, reason: str) -> RolloutView:
        """Send every box that was told back to what it ran before.

        Raises:
            NotFoundError: No such rollout.
            ConflictError: It was taken back already, or a newer rollout is there.
        """

        def step(session: Session, row: RolloutRow) -> None:
            newest = RolloutStore(session, self._tenant).newest()
            if newest is not None and newest.id != row.id:
                raise ConflictError(
                    f"rollout {newest.id} came after {row.id}, expected the newest",
                    hint="take that one back, or roll an older version out",
                )
            if row.state == RolloutState.ROLLED_BACK:
                raise ConflictError(f"rollout {row.id} was taken back already")
            self._move(session, row).to(RolloutState.ROLLED_BACK, row.wave, reason, by=by)

        return self._changed(rollout, step)

    def _set_paused(self, rollout: str, *, by: str, is_paused: bool) -> RolloutView:
        word = "paused" if is_paused else "resumed"

        def step(session: Session, row: RolloutRow) -> None:
            _require_under_way(row)
            if row.is_paused == is_paused:
                raise ConflictError(f"rollout {row.id} is {word} already")
            now = self._clock.now()
            row.is_paused, row.changed_at = is_paused, now
            text = f"by {by}"
            RolloutStore(session, self._tenant).tell(row, word, text, by=by, now=now)
            detail = {"state": word, "why": text}
            self._audit.record(session, Action.ROLLOUT_MOVED, subject=row.id, detail=detail)

        return self._changed(rollout, step)

    def _changed(self, rollout: str, step: Callable[[Session, RolloutRow], None]) -> RolloutView:
        with self._database.session() as session:
            store = RolloutStore(session, self._tenant)
            row = store.rollout(rollout, to_change=True)
            step(session, row)
            return RolloutView.of(row, store.counts().get(row.id, {}))

    def _move(self, session: Session, row: RolloutRow) -> Move:
        return Move(session, row, tenant=self._tenant, clock=self._clock)

    def _row(
        self, wish: RolloutWish, model: ModelVersionRow, *, number: int, by: str
    ) -> RolloutRow:
        now: datetime = self._clock.now()
        return RolloutRow(
            id=f"{model.version.replace('.', '-')}-{secrets.token_hex(2)}",
            tenant_id=self._tenant,
            number=number,
            name=model.name,
            version=model.version,
            state=RolloutState.PLANNED.value,
            waves=1,
            is_for_all=wish.devices is None,
            limits=wish.limits.model_dump(),
            created_at=now,
            created_by=by,
            entered_at=now,
            changed_at=now,
        )

    def _members(
        self, store: RolloutStore, wish: RolloutWish, row: RolloutRow
    ) -> Sequence[RolloutBoxRow]:
        sites = {device: box.site for device, box in store.enrolled().items()}
        if wish.devices is not None:
            if unknown := sorted(set(wish.devices) - set(sites)):
                raise NotFoundError(f"no enrolled box {unknown[0]!r}", hint="see fleet list")
            sites = {device: sites[device] for device in wish.devices}
        try:
            waves = plan_waves(sites, rollout=row.id, canaries=wish.canaries, waves=wish.waves)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        return [
            RolloutBoxRow(
                rollout_id=row.id,
                device_id=device,
                tenant_id=self._tenant,
                site=sites[device],
                wave=wave,
                state=BoxState.PENDING.value,
            )
            for device, wave in sorted(waves.items())
        ]


def _require_may_go_out(model: ModelVersionRow) -> None:
    if DeploymentStage(model.stage) not in _MAY_GO_OUT:
        raise ConflictError(
            f"model {model.version} is in {model.stage}, expected canary or production",
            hint="take it there with: its-camera-ai registry propose",
        )
    if model.manifest_sha256 is None:
        raise ConflictError(
            f"no signed release of model {model.version} is here, expected one that boxes believe",
            hint="its-camera-ai ml keys sign, then its-camera-ai registry receive",
        )


def _require_under_way(row: RolloutRow) -> None:
    if not is_under_way(row):
        raise ConflictError(f"rollout {row.id} is {row.state} and moves no more")
