"""Sealed candidates and the words of people → versions of the model that may go further, or not.

What the gates ask for is recorded when it is brought: the bench's verdict with the candidate,
the signature with a delivery, the canary's outcome by the rollouts. Every step and every step
that was refused stays on record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import structlog

from common.errors import ConflictError
from common.timing import Clock
from coordinator.database import Database
from coordinator.fleet.reading_store import reading
from coordinator.registry.artefacts import ArtefactFolder
from coordinator.registry.numbering import free_version
from coordinator.registry.packaged import PackagedModel
from coordinator.registry.registering import (
    INSTALLATION,
    installed,
    packaged_row,
    read_sealed,
    registered,
)
from coordinator.registry.stages import (
    DeploymentStage,
    check_approval,
    check_order,
    missing_for,
)
from coordinator.registry.store import Happened, ModelStore, Session, facts_of
from coordinator.registry.tables import ModelVersionRow
from coordinator.registry.views import ModelDetailView, ModelEventView, ModelView
from coordinator.security.actors import Actor, ActorKind, acting_as
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action

log = structlog.get_logger(__name__)


class ModelRegistry:
    """Versions of the model of one tenant; safe to share between threads and processes."""

    def __init__(
        self, database: Database, artefacts: ArtefactFolder, *, tenant: str, clock: Clock
    ) -> None:
        """Keep files in ``artefacts``."""
        self._database = database
        self._artefacts = artefacts
        self._tenant = tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def add(self, folder: Path, *, by: str, version: str | None = None) -> ModelView:
        """Register a sealed candidate; one that the bench rejected is kept as such.

        The same candidate again changes nothing.

        Args:
            folder: As a bench wrote it.
            by: Who registers it.
            version: What it shall be called; the candidate's own name for itself, or the next
                minor version, unless given.

        Raises:
            TrustError: A file is not the one that was sealed.
            ConfigError: No candidate there, or no version of ours.
            ConflictError: The version is taken by other files.
        """
        sealed = read_sealed(folder, self._artefacts)
        now = self._clock.now()
        with self._database.session() as session:
            store = ModelStore(session, self._tenant)
            rows = store.versions()
            known = next((row for row in rows if row.lineage == sealed.lineage), None)
            if known is not None and version in (None, known.version):
                return ModelView.of(known, current=store.in_production())
            wanted = version or sealed.calls_itself
            row = sealed.row(self._tenant, by=by, now=now)
            row.version = free_version(wanted, rows, is_asked=version is not None)
            self._keep(session, store, row, registered(row))
            log.info("model_registered", version=row.version, rejected=bool(row.rejections))
            return ModelView.of(row, current=store.in_production())

    def add_packaged(self, model: PackagedModel) -> bool:
        """Register what came with the installation as a version in production.

        Returns:
            False when it was there before.
        """
        actor = Actor(kind=ActorKind.SERVICE, name=INSTALLATION)
        with reading(self._database) as session:
            if ModelStore(session, self._tenant).find(model.version) is not None:
                return False
        with self._database.session() as session, acting_as(actor):
            store = ModelStore(session, self._tenant)
            if store.find(model.version) is not None:
                return False
            row = packaged_row(model, self._tenant, now=self._clock.now())
            self._keep(session, store, row, [installed()])
        return True

    def list(self) -> list[ModelView]:
        """Every version, the newest first; rejected ones among them."""
        with reading(self._database) as session:
            store = ModelStore(session, self._tenant)
            current = store.in_production()
            return [ModelView.of(row, current=current) for row in reversed(store.versions())]

    def show(self, version: str) -> ModelDetailView:
        """One version with lineage, evidence, gates and everything that happened.

        Raises:
            NotFoundError: No such version.
        """
        with reading(self._database) as session:
            store = ModelStore(session, self._tenant)
            row = store.version(version)
            events = [ModelEventView.of(event) for event in store.events(version)]
            return ModelDetailView.of_all(row, events, current=store.in_production())

    def propose(self, version: str, stage: DeploymentStage, *, by: str) -> ModelView:
        """Take a version to its next stage; for production, ask a second person.

        Raises:
            NotFoundError: No such version.
            ConflictError: Another stage comes next, or its gate is closed; it says why.
        """

        def step(store: ModelStore, row: ModelVersionRow, now: datetime) -> Action:
            facts = facts_of(row)
            check_order(facts, stage)
            if facts.rejections:
                raise ConflictError(f"the bench rejected it: {'; '.join(facts.rejections)}")
            if missing := missing_for(facts, stage):
                raise ConflictError(f"{stage} stays closed: {'; '.join(missing)}")
            if stage is DeploymentStage.PRODUCTION:
                if facts.proposed_by is not None:
                    raise ConflictError(f"{facts.proposed_by} proposed it already")
                row.proposed_at, row.proposed_by = now, by
                told = Happened(kind="proposed", by=by, stage=stage, text="proposed for production")
                store.tell(row, told, now=now)
                return Action.MODEL_PROPOSED
            row.stage = stage.value
            told = Happened(
                kind="promoted", by=by, stage=stage, text="every piece of evidence held"
            )
            store.tell(row, told, now=now)
            return Action.MODEL_PROMOTED

        return self._stepped(version, stage, by, step)

    def approve(self, version: str, *, by: str) -> ModelView:
        """Let a proposed version into production, as a second person.

        Raises:
            NotFoundError: No such version.
            ConflictError: Nobody proposed it, or the same person did.
        """

        def step(store: ModelStore, row: ModelVersionRow, now: datetime) -> Action:
            check_approval(facts_of(row), by)
            text = f"proposed by {row.proposed_by}, approved by {by}"
            row.stage, row.production_at = DeploymentStage.PRODUCTION.value, now
            row.proposed_at = row.proposed_by = None
            told = Happened(kind="promoted", by=by, stage=DeploymentStage.PRODUCTION, text=text)
            store.tell(row, told, now=now)
            return Action.MODEL_PROMOTED

        return self._stepped(version, DeploymentStage.PRODUCTION, by, step)

    def decline(self, version: str, *, by: str, reason: str) -> ModelView:
        """Take a proposal off the table, whoever made it.

        Raises:
            NotFoundError: No such version.
            ConflictError: Nobody proposed it.
        """

        def step(store: ModelStore, row: ModelVersionRow, now: datetime) -> Action:
            if row.proposed_by is None:
                raise ConflictError("nobody proposed production for the version")
            row.proposed_at = row.proposed_by = None
            stage = DeploymentStage.PRODUCTION
            told = Happened(kind="declined", by=by, stage=stage, text=reason, holds=False)
            store.tell(row, told, now=now)
            return Action.MODEL_DECLINED

        return self._stepped(version, DeploymentStage.PRODUCTION, by, step)

    def _stepped(
        self,
        version: str,
        stage: DeploymentStage,
        by: str,
        step: Callable[[ModelStore, ModelVersionRow, datetime], Action],
    ) -> ModelView:
        """One step in one transaction; one that is refused is on record as well."""
        now = self._clock.now()
        refusal: ConflictError | None = None
        with self._database.session() as session:
            store = ModelStore(session, self._tenant)
            row = store.version_to_change(version)
            try:
                action = step(store, row, now)
            except ConflictError as error:
                refusal, action = error, Action.MODEL_REFUSED
                told = Happened(kind="refused", by=by, stage=stage, text=str(error), holds=False)
                store.tell(row, told, now=now)
            detail = {"stage": stage.value, **({"why": str(refusal)} if refusal else {})}
            self._audit.record(session, action, subject=version, detail=detail)
            view = ModelView.of(row, current=store.in_production())
        if refusal is not None:
            raise refusal
        log.info("model_moved", version=version, stage=view.stage, action=action)
        return view

    def _keep(
        self, session: Session, store: ModelStore, row: ModelVersionRow, told: Iterable[Happened]
    ) -> None:
        store.add(row)
        for happened in told:
            store.tell(row, happened, now=row.registered_at)
        run = (row.lineage or {}).get("run")
        detail = {"sha256": row.sha256, "run": run, "passed": not row.rejections}
        self._audit.record(session, Action.MODEL_REGISTERED, subject=row.version, detail=detail)
