"""Versions of the model and their events of one tenant ↔ rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from common.errors import NotFoundError
from coordinator.registry.stages import DeploymentStage, Facts
from coordinator.registry.tables import ModelEventRow, ModelVersionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that happened to a version.

    Attributes:
        kind: ``registered``, ``evidence``, ``promoted``, ``proposed``, ``refused`` or ``declined``.
        by: Who did it.
        text: In words.
        stage: Which stage it is about.
        holds: False for what speaks against the version.
    """

    kind: str
    by: str
    text: str
    stage: DeploymentStage | None = None
    holds: bool = True
    detail: Mapping[str, Any] = field(default_factory=dict)


__all__ = ["Happened", "ModelStore", "Session", "facts_of"]


class ModelStore:
    """Everything about versions, for one tenant and one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, row: ModelVersionRow) -> None:
        """Keep a new version."""
        self._session.add(row)
        self._session.flush()

    def find(self, version: str) -> ModelVersionRow | None:
        """One version, None when it is not known."""
        return self._session.get(ModelVersionRow, (self._tenant_id, version))

    def version(self, version: str) -> ModelVersionRow:
        """One version.

        Raises:
            NotFoundError: No such version.
        """
        return _known(self.find(version), version)

    def version_to_change(self, version: str) -> ModelVersionRow:
        """One version, held against changes by others until the end of the transaction.

        Raises:
            NotFoundError: No such version.
        """
        key = (self._tenant_id, version)
        row = self._session.get(ModelVersionRow, key, with_for_update=True, populate_existing=True)
        return _known(row, version)

    def versions(self) -> Sequence[ModelVersionRow]:
        """Every version in order of registration."""
        query = select(ModelVersionRow).where(col(ModelVersionRow.tenant_id) == self._tenant_id)
        ordered = query.order_by(col(ModelVersionRow.registered_at), col(ModelVersionRow.version))
        return self._session.scalars(ordered).all()

    def in_production(self) -> str | None:
        """The version that entered production last."""
        query = (
            select(col(ModelVersionRow.version))
            .where(
                col(ModelVersionRow.tenant_id) == self._tenant_id,
                col(ModelVersionRow.stage) == DeploymentStage.PRODUCTION.value,
            )
            .order_by(col(ModelVersionRow.production_at).desc())
            .limit(1)
        )
        return self._session.scalar(query)

    def tell(self, row: ModelVersionRow, happened: Happened, *, now: datetime) -> None:
        """Write what happened; the caller holds the version, so the numbers have no holes."""
        query = select(func.max(col(ModelEventRow.number))).where(
            col(ModelEventRow.tenant_id) == self._tenant_id,
            col(ModelEventRow.version) == row.version,
        )
        self._session.add(row)
        self._session.add(
            ModelEventRow(
                tenant_id=self._tenant_id,
                version=row.version,
                number=(self._session.scalar(query) or 0) + 1,
                at=now,
                by=happened.by[:128],
                kind=happened.kind,
                stage=happened.stage.value if happened.stage else None,
                holds=happened.holds,
                text=happened.text[:2000],
                detail=dict(happened.detail),
            )
        )
        self._session.flush()

    def events(self, version: str) -> Sequence[ModelEventRow]:
        """What happened to a version, in order."""
        query = (
            select(ModelEventRow)
            .where(
                col(ModelEventRow.tenant_id) == self._tenant_id,
                col(ModelEventRow.version) == version,
            )
            .order_by(col(ModelEventRow.number))
        )
        return self._session.scalars(query).all()


def facts_of(row: ModelVersionRow) -> Facts:
    """What the gates look at."""
    judged = row.judged or {}
    sides = [judged.get(side) or {} for side in ("candidate", "against")]
    return Facts(
        stage=DeploymentStage(row.stage),
        rejections=tuple(row.rejections),
        has_weights=row.sha256 is not None,
        has_map=all(side.get("scores") for side in sides),
        has_counts=all(side.get("counts") for side in sides),
        is_signed=row.manifest_sha256 is not None,
        canaries=row.canaries,
        proposed_by=row.proposed_by,
    )


def _known(row: ModelVersionRow | None, version: str) -> ModelVersionRow:
    if row is None:
        raise NotFoundError(
            f"model version {version[:64]!r} is not known",
            hint="list the versions with: its-camera-ai registry list",
        )
    return row
