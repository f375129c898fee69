"""Questions and wishes about versions of the model over HTTP → the registry's answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from common.release.manifest import SEMANTIC_VERSION
from common.security import Permission, SecurityLevel
from coordinator.dependencies import ContainerDep
from coordinator.problems import problems
from coordinator.registry.registry import ModelRegistry
from coordinator.registry.views import Declining, ModelDetailView, ModelView, Proposal
from coordinator.security.access import ContextDep, may

router = APIRouter(prefix="/models", tags=["models"])


def registry_of(container: ContainerDep) -> ModelRegistry:
    """Versions of the model."""
    registry: ModelRegistry = container.registry()
    return registry


RegistryDep = Annotated[ModelRegistry, Depends(registry_of)]
VersionPath = Annotated[
    str, Path(pattern=SEMANTIC_VERSION, description="Version of the model", examples=["1.1.0"])
]

_READS = [may(Permission.MODELS_READ)]
_MANAGES = [may(Permission.MODELS_MANAGE)]
_APPROVES = [may(Permission.MODELS_APPROVE, level=SecurityLevel.FRESH)]


@router.get("", dependencies=_READS)
def list_models(registry: RegistryDep) -> list[ModelView]:
    """Every version, the newest first; rejected ones among them."""
    return registry.list()


@router.get("/{version}", responses=problems(404), dependencies=_READS)
def show_model(version: VersionPath, registry: RegistryDep) -> ModelDetailView:
    """One version with lineage, evidence, gates and everything that happened."""
    return registry.show(version)


@router.post("/{version}/proposals", status_code=201, responses=problems(403, 404, 409),
             dependencies=_MANAGES)  # fmt: skip
def propose_model(
    version: VersionPath, body: Proposal, registry: RegistryDep, context: ContextDep
) -> ModelView:
    """Take a version to its next stage; for production, ask a second person."""
    return registry.propose(version, body.stage, by=context.name)


@router.post("/{version}/approval", status_code=201, responses=problems(403, 404, 409),
             dependencies=_APPROVES)  # fmt: skip
def approve_model(version: VersionPath, registry: RegistryDep, context: ContextDep) -> ModelView:
    """Let a proposed version into production, as somebody else than who proposed it."""
    return registry.approve(version, by=context.name)


@router.post("/{version}/refusal", status_code=201, responses=problems(403, 404, 409),
             dependencies=[may(Permission.MODELS_APPROVE)])  # fmt: skip
def decline_model(
    version: VersionPath, body: Declining, registry: RegistryDep, context: ContextDep
) -> ModelView:
    """Take a proposal for production off the table."""
    return registry.decline(version, by=context.name, reason=body.reason)
