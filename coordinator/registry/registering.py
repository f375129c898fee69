"""A sealed folder, or what came with the installation → a new version and its first evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from common.release.candidate import read_entry, read_verdict, weights_of
from coordinator.registry.artefacts import ArtefactFolder
from coordinator.registry.packaged import PackagedModel
from coordinator.registry.stages import DeploymentStage
from coordinator.registry.store import Happened
from coordinator.registry.tables import ModelVersionRow

INSTALLATION = "installation"
"""Who registered the model that came with the program."""

UNMEASURED = "nobody measured it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A candidate whose every file was checked and taken in.

    Attributes:
        calls_itself: The version in its lineage.
        lineage: As JSON.
        judged: As JSON, None where nobody measured it beside the model in use.
        rejections: Why the bench rejected it.
        weights: Name of the ONNX file.
        files: Name → digest and size.
    """

    name: str
    calls_itself: str
    lineage: dict[str, Any]
    judged: dict[str, Any] | None
    rejections: tuple[str, ...]
    weights: str | None
    files: dict[str, dict[str, Any]]

    def row(self, tenant: str, *, by: str, now: datetime) -> ModelVersionRow:
        """A version in development; its number is the caller's to give."""
        weights = self.files[self.weights] if self.weights else None
        return ModelVersionRow(
            tenant_id=tenant,
            version=self.calls_itself,
            name=self.name,
            stage=DeploymentStage.DEVELOPMENT.value,
            sha256=weights["sha256"] if weights else None,
            size_bytes=weights["size_bytes"] if weights else 0,
            files=self.files,
            lineage=self.lineage,
            judged=self.judged,
            rejections=list(self.rejections),
            registered_at=now,
            registered_by=by,
        )


def read_sealed(folder: Path, artefacts: ArtefactFolder) -> Sealed:
    """Check a candidate and take its files in.

    Raises:
        TrustError: A file is not the one that was sealed.
        ConfigError: No candidate there.
        UnreachableError: The artefacts cannot be written.
    """
    lineage = read_entry(folder)
    verdict, judged = read_verdict(folder, lineage)
    if verdict is None:
        rejections: tuple[str, ...] = (UNMEASURED,)
    else:
        rejections = () if verdict.passed else verdict.reasons or ("it gave no reason",)
    return Sealed(
        name=lineage.name,
        calls_itself=lineage.model_version,
        lineage=lineage.model_dump(mode="json"),
        judged=judged.model_dump(mode="json") if judged else None,
        rejections=rejections,
        weights=weights_of(lineage),
        files={
            name: {"sha256": digest, "size_bytes": artefacts.take(folder / name, digest)}
            for name, digest in lineage.files.items()
        },
    )


def registered(row: ModelVersionRow) -> list[Happened]:
    """What there is to tell of a new candidate: that it came, and what the bench said."""
    run = (row.lineage or {}).get("run")
    judged = row.judged or {}
    return [
        Happened(kind="registered", by=row.registered_by, text=f"candidate of run {run}"),
        Happened(
            kind="evidence",
            by=row.registered_by,
            text="the bench: " + ("; ".join(row.rejections) or "it may replace its parent"),
            stage=DeploymentStage.STAGING,
            holds=not row.rejections,
            detail={
                "gain_map50_95": judged.get("gain_map50_95"),
                "counts": (judged.get("candidate") or {}).get("counts_together"),
            },
        ),
    ]


def packaged_row(model: PackagedModel, tenant: str, *, now: datetime) -> ModelVersionRow:
    """The model that boxes count with until they are told otherwise."""
    return ModelVersionRow(
        tenant_id=tenant,
        version=model.version,
        name=model.name,
        stage=DeploymentStage.PRODUCTION.value,
        sha256=model.sha256[model.default],
        files={n: {"sha256": digest, "size_bytes": 0} for n, digest in model.sha256.items()},
        registered_at=now,
        registered_by=INSTALLATION,
        production_at=now,
    )


def installed() -> Happened:
    """What there is to tell of it."""
    return Happened(
        kind="registered",
        by=INSTALLATION,
        text="came with the program: boxes count with it until they are told otherwise",
        stage=DeploymentStage.PRODUCTION,
    )
